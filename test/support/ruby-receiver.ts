/**
 * The lumberjack input of Logstash 1.4 to 2, with what it does to a second window: it reads 16 kB at a time into one
 * buffer, and puts what it decompresses *behind* whatever the buffer already holds, the beginning of the next window
 * included. Acknowledges in version 1, when the sequence reaches the size of the window that it read last.
 */
import { createServer, type Server, type Socket } from "node:net";
import { inflateSync } from "node:zlib";

const READ_SIZE = 16_384;

export class RubyReceiver {
  readonly lines: string[] = [];
  /** Milliseconds between two events taken, at most. */
  longestPause = 0;
  connections = 0;
  /** Connections that it gave up because it did not understand. */
  confused = 0;
  #last = 0;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** Milliseconds that it works on each piece that it read. */
  readonly #work: number;

  /** What it does when it does not understand: hang up, or never answer again. */
  readonly #deaf: boolean;

  constructor({ work = 0, deaf = false } = {}) {
    this.#work = work;
    this.#deaf = deaf;
  }

  async listen(): Promise<number> {
    const server = createServer((socket) => void this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  async #serve(socket: Socket): Promise<void> {
    this.connections++;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    const parser = new RubyParser(
      (line) => this.#take(line),
      (sequence) => socket.write(ack(sequence)),
    );
    let waiting = Buffer.alloc(0);
    let wake: () => void = () => undefined;
    let ended = false;
    socket.on("data", (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      wake();
    });
    socket.on("close", () => {
      ended = true;
      this.#sockets.delete(socket);
      wake();
    });
    while (!ended) {
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const piece = waiting.subarray(0, READ_SIZE);
      waiting = waiting.subarray(piece.length);
      try {
        parser.feed(piece);
      } catch {
        this.confused++;
        if (!this.#deaf) socket.destroy();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, this.#work));
    }
  }

  #take(line: string): void {
    const now = performance.now();
    if (this.#last > 0) this.longestPause = Math.max(this.longestPause, now - this.#last);
    this.#last = now;
    this.lines.push(line);
  }
}

const ack = (sequence: number): Buffer => {
  const bytes = Buffer.from([0x31, 0x41, 0, 0, 0, 0]);
  bytes.writeUInt32BE(sequence, 2);
  return bytes;
};

class RubyParser {
  #buffer: Buffer = Buffer.alloc(0);
  #windowSize = 1;
  #nextAck: number | undefined;
  readonly #take: (line: string) => void;
  readonly #acknowledge: (sequence: number) => void;

  constructor(take: (line: string) => void, acknowledge: (sequence: number) => void) {
    this.#take = take;
    this.#acknowledge = acknowledge;
  }

  feed(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#frame());
  }

  /** Takes one frame off the buffer; false when it is not whole. */
  #frame(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 6) return false;
    const type = String.fromCharCode(buffer[1] ?? 0);
    const value = buffer.readUInt32BE(2);
    if (type === "W") {
      this.#buffer = buffer.subarray(6);
      [this.#windowSize, this.#nextAck] = [value, undefined];
      return true;
    }
    if (type === "C") {
      if (buffer.length < 6 + value) return false;
      this.#buffer = buffer.subarray(6 + value);
      this.feed(inflateSync(buffer.subarray(6, 6 + value)));
      return true;
    }
    if (type !== "D") throw new Error(`unknown frame type ${type}`);
    return this.#data(value);
  }

  #data(sequence: number): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 10) return false;
    let [at, line] = [10, ""];
    for (let left = 2 * buffer.readUInt32BE(6); left > 0; left--) {
      if (buffer.length < at + 4) return false;
      const length = buffer.readUInt32BE(at);
      at += 4 + length;
      if (buffer.length < at) return false;
      line = buffer.toString("utf8", at - length, at);
    }
    this.#buffer = buffer.subarray(at);
    this.#take(line);
    this.#nextAck ??= sequence + this.#windowSize - 1;
    if (sequence === this.#nextAck) this.#acknowledge(sequence);
    return true;
  }
}
