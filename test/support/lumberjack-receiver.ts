/**
 * A strict Lumberjack receiver for tests: both versions, every byte checked, with the habits of real receivers as modes
 * and with faults on demand. What breaks the protocol goes into `violations`.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { inflateSync } from "node:zlib";

export interface ReceivedEvent {
  readonly version: 1 | 2;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly line: string;
  /** The text of a version 2 event. */
  readonly json?: string;
}

/**
 * `beats`: one ack a window, keepalive `2A 0` while it works, sequences in 31 bits, version 1 only inside C.
 * `go-lumber`: refuses windows above its limit. `ruby`: version 2 is acknowledged every fifth of the window, and a
 * version 2 window of 2 to 4 breaks it; no keepalive.
 */
type ReceiverMode = "beats" | "go-lumber" | "ruby";

export interface ReceiverOptions {
  readonly mode?: ReceiverMode;
  readonly tls?: TlsOptions;
  /** Versions it takes; another one closes the connection. */
  readonly versions?: readonly (1 | 2)[];
  readonly windowLimit?: number;
  /** Sequences may go on from window to window, as those of the original forwarder do. */
  readonly continues?: boolean;
  /** Milliseconds between a window and its ack. */
  readonly delay?: number;
  /** Milliseconds between keepalives while it works. */
  readonly keepalive?: number;
  /** Milliseconds of idleness after which it closes. */
  readonly idleClose?: number;
  /** Never answers. */
  readonly silent?: boolean;
  /** Acknowledges half of each window before all of it, in one piece. */
  readonly inHalves?: boolean;
  /** Acknowledges each window twice, in one piece. */
  readonly twice?: boolean;
  /** Sent instead of acks. */
  readonly garbage?: Buffer;
  /** Closes connection number n (from 0) after so many bytes; undefined lets it live. */
  readonly cut?: (connection: number) => number | undefined;
  /** Takes the events of a window, but closes instead of acknowledging it, for the first so many windows. */
  readonly loseAcks?: number;
  readonly port?: number;
  readonly onEvents?: (events: readonly ReceivedEvent[]) => void;
  /** The acknowledgement of the events of a window, as `onEvents` was given them, was written. */
  readonly onAcknowledged?: (events: readonly ReceivedEvent[]) => void;
  /** false: events are handed to `onEvents` only. */
  readonly keep?: boolean;
}

class Violation extends Error {}

const need = (condition: boolean, what: string): void => {
  if (!condition) throw new Violation(what);
};

function parsePairs(bytes: Buffer, start: number, count: number): { fields: Record<string, string>; end: number } {
  const fields: Record<string, string> = {};
  let at = start;
  const text = (): string => {
    const length = bytes.readUInt32BE(at);
    need(at + 4 + length <= bytes.length, "a pair runs over the end");
    at += 4 + length;
    return bytes.toString("utf8", at - length, at);
  };
  for (let pair = 0; pair < count; pair++) {
    const key = text();
    need(!Object.hasOwn(fields, key), `key '${key}' twice`);
    fields[key] = text();
  }
  return { fields, end: at };
}

/** All events of decompressed data, sequences checked from `first` on; undefined: from whatever the first one has. */
function parseFrames(bytes: Buffer, version: number, first?: number): ReceivedEvent[] {
  const events: ReceivedEvent[] = [];
  let begin = first;
  for (let at = 0; at < bytes.length; ) {
    need(bytes[at] === version, "a frame of another version inside the window");
    const type = String.fromCharCode(bytes[at + 1] ?? 0);
    const sequence = bytes.readUInt32BE(at + 2);
    begin ??= sequence;
    const expected = begin + events.length;
    need(sequence === expected, `sequence ${sequence} instead of ${expected}`);
    const count = bytes.readUInt32BE(at + 6);
    need(count > 0, "an empty event");
    if (type === "D") {
      need(version === 0x31, "D in version 2");
      const { fields, end } = parsePairs(bytes, at + 10, count);
      events.push({ version: 1, fields, line: fields["line"] ?? "" });
      at = end;
    } else {
      need(type === "J" && version === 0x32, `frame type ${type}`);
      need(at + 10 + count <= bytes.length, "JSON runs over the end");
      const json = bytes.subarray(at + 10, at + 10 + count);
      need(Buffer.from(json.toString("utf8")).equals(json), "JSON is not UTF-8");
      const fields = JSON.parse(json.toString("utf8")) as Record<string, unknown>;
      events.push({ version: 2, fields, line: String(fields["message"]), json: json.toString("utf8") });
      at += 10 + count;
    }
  }
  return events;
}

class Connection {
  readonly #socket: Socket;
  readonly #receiver: LumberjackReceiver;
  readonly #options: ReceiverOptions;
  #buffer: Buffer = Buffer.alloc(0);
  #window: { version: number; count: number; events: ReceivedEvent[] } | undefined;
  #work: Promise<void> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #received = 0;
  /** It has died of a lost ack: what it holds is not taken. */
  #dead = false;

  constructor(socket: Socket, receiver: LumberjackReceiver, options: ReceiverOptions, limit: number | undefined) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#options = options;
    socket.on("error", () => undefined);
    socket.on("close", () => clearTimeout(this.#idle));
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.length;
      const over = limit === undefined ? 0 : this.#received - limit;
      this.#buffer = Buffer.concat([
        this.#buffer,
        over > 0 ? chunk.subarray(0, Math.max(0, chunk.length - over)) : chunk,
      ]);
      this.#parse();
      if (limit !== undefined && this.#received >= limit) socket.destroy();
    });
    this.#rest();
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#options.idleClose !== undefined)
      this.#idle = setTimeout(() => this.#window === undefined && this.#socket.end(), this.#options.idleClose);
  }

  #parse(): void {
    this.#rest();
    try {
      while (this.#step());
    } catch (error) {
      this.#receiver.violations.push(error instanceof Error ? error.message : String(error));
      this.#socket.destroy();
    }
  }

  #step(): boolean {
    if (this.#buffer.length < 6 || this.#socket.destroyed) return false;
    const [version = 0, type = 0] = this.#buffer;
    const value = this.#buffer.readUInt32BE(2);
    need(version === 0x31 || version === 0x32, `version byte 0x${version.toString(16)}`);
    const versions = this.#options.versions ?? [1, 2];
    if (!versions.includes(version === 0x31 ? 1 : 2)) {
      this.#receiver.refused++;
      this.#socket.destroy();
      return false;
    }
    if (this.#window === undefined) {
      need(type === 0x57, `a window is expected, not 0x${type.toString(16)}`);
      if (this.#options.windowLimit !== undefined && value > this.#options.windowLimit) {
        this.#receiver.refused++;
        this.#socket.destroy();
        return false;
      }
      need(!(this.#options.mode === "ruby" && version === 0x32 && value > 1 && value < 5), `a v2 window of ${value}`);
      this.#buffer = this.#buffer.subarray(6);
      if (value === 0) this.#socket.write(ack(version, 0));
      else this.#window = { version, count: value, events: [] };
      return true;
    }
    need(version === this.#window.version, "the version changes inside a window");
    need(type === 0x43, "only compressed frames are expected");
    if (this.#buffer.length < 6 + value) return false;
    const events = parseFrames(
      inflateSync(this.#buffer.subarray(6, 6 + value)),
      version,
      this.#options.continues ? undefined : this.#window.events.length + 1,
    );
    this.#buffer = this.#buffer.subarray(6 + value);
    this.#window.events.push(...events);
    need(this.#window.events.length <= this.#window.count, "more events than the window announced");
    if (this.#window.events.length === this.#window.count) {
      const { events: whole } = this.#window;
      this.#window = undefined;
      this.#work = this.#work.then(() => this.#take(version, whole));
    }
    return true;
  }

  async #take(version: number, events: ReceivedEvent[]): Promise<void> {
    const { mode = "beats", delay = 0, keepalive, silent, garbage } = this.#options;
    if (this.#dead) return;
    this.#receiver.take(events);
    if (this.#receiver.losesAck()) {
      this.#dead = true;
      this.#socket.destroy();
      return;
    }
    if (silent) return;
    const beats = keepalive === undefined ? undefined : setInterval(() => this.#write(ack(0x32, 0)), keepalive);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    clearInterval(beats);
    if (garbage !== undefined) {
      this.#write(garbage);
      return;
    }
    if (mode === "ruby" && version === 0x32) {
      const step = Math.floor(events.length / 5);
      for (let at = step; step > 0 && at < events.length; at += step) this.#write(ack(version, at));
    }
    if (this.#socket.destroyed) return;
    const whole = ack(version, events.length);
    const half = Math.floor(events.length / 2);
    const { inHalves = false, twice = false } = this.#options;
    this.#write(
      Buffer.concat([...(inHalves && half > 0 ? [ack(version, half)] : []), whole, ...(twice ? [whole] : [])]),
    );
    this.#options.onAcknowledged?.(events);
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }
}

const ack = (version: number, sequence: number): Buffer => {
  const bytes = Buffer.from([version, 0x41, 0, 0, 0, 0]);
  bytes.writeUInt32BE(sequence, 2);
  return bytes;
};

export class LumberjackReceiver {
  readonly events: ReceivedEvent[] = [];
  readonly violations: string[] = [];
  connections = 0;
  refused = 0;
  windows: number[] = [];
  readonly #options: ReceiverOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #lost = 0;
  #port = 0;

  constructor(options: ReceiverOptions = {}) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that have not ended: what a dead writer had sent is taken once its own has. */
  get open(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<this> {
    const options = this.#options;
    const accept = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      const number = this.connections++;
      new Connection(socket, this, options, options.cut?.(number));
    };
    const server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept);
    server.on("tlsClientError", () => undefined);
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port ?? (this.#port || 0), "127.0.0.1", resolve);
    });
    const address = server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : 0;
    return this;
  }

  /** Closes everything at once; `listen` may be called again and takes the same port. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  take(events: ReceivedEvent[]): void {
    this.windows.push(events.length);
    if (this.#options.keep !== false) for (const event of events) this.events.push(event);
    this.#options.onEvents?.(events);
  }

  losesAck(): boolean {
    return this.#lost < (this.#options.loseAcks ?? 0) && ++this.#lost > 0;
  }
}
