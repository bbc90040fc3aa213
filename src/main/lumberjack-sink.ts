/**
 * A Lumberjack receiver for demonstrations and tests: with TLS or without, versions 1 and 2, every event printed as one line of
 * JSON. It keeps nothing; Logstash is the real thing.
 */
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type Server, type Socket } from "node:net";
import { createServer } from "node:tls";
import { inflateSync } from "node:zlib";
import { BROKEN_PIPE } from "../base/broken-pipe.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { usageText } from "../config/help.ts";
import { type SinkOptions, sinkFlags, sinkOptions } from "../forwarder/sink-options.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const PURPOSE = "Prints what a Lumberjack writer ships, one JSON object a line. For demonstrations.";

/** A window or a compressed frame larger than this is no honest writer's. */
const LARGEST = 64 * 1024 * 1024;

/** Frames of one connection: windows are counted, and acknowledged when they are whole. */
class Frames {
  #data: Buffer = Buffer.alloc(0);
  #left = 0;
  readonly #print: (event: unknown) => void;
  readonly #acknowledge: (version: number, sequence: number) => void;

  constructor(print: (event: unknown) => void, acknowledge: (version: number, sequence: number) => void) {
    this.#print = print;
    this.#acknowledge = acknowledge;
  }

  push(chunk: Buffer): void {
    this.#data = this.#take(Buffer.concat([this.#data, chunk]));
    if (this.#data.length > LARGEST) throw new Error("a frame is too long");
  }

  /** Reads whole frames; what is left over is returned. */
  #take(data: Buffer): Buffer {
    let at = 0;
    while (data.length - at >= 6) {
      const end = this.#frame(data, at);
      if (end === undefined) break;
      at = end;
    }
    return data.subarray(at);
  }

  /** Where the frame that begins at `at` ends; undefined when it is not whole. */
  #frame(data: Buffer, at: number): number | undefined {
    const version = data[at] ?? 0;
    const kind = String.fromCharCode(data[at + 1] ?? 0);
    const number = data.readUInt32BE(at + 2);
    switch (kind) {
      case "W":
        this.#left = number;
        if (number === 0) this.#acknowledge(version, 0);
        return at + 6;
      case "C": {
        if (number > LARGEST) throw new Error("a compressed frame is too long");
        if (data.length < at + 6 + number) return undefined;
        this.#take(inflateSync(data.subarray(at + 6, at + 6 + number), { maxOutputLength: LARGEST }));
        return at + 6 + number;
      }
      case "J": {
        if (data.length < at + 10) return undefined;
        const end = at + 10 + data.readUInt32BE(at + 6);
        if (data.length < end) return undefined;
        this.#event(version, number, JSON.parse(data.subarray(at + 10, end).toString()));
        return end;
      }
      case "D":
        return this.#pairs(data, at, version, number);
      default:
        throw new Error(`unknown frame ${JSON.stringify(kind)}`);
    }
  }

  #pairs(data: Buffer, at: number, version: number, sequence: number): number | undefined {
    if (data.length < at + 10) return undefined;
    const texts: string[] = [];
    let end = at + 10;
    for (let left = 2 * data.readUInt32BE(at + 6); left > 0; left--) {
      if (data.length < end + 4) return undefined;
      const from = end + 4;
      end = from + data.readUInt32BE(end);
      if (data.length < end) return undefined;
      texts.push(data.subarray(from, end).toString());
    }
    const event: Record<string, string> = {};
    for (let index = 0; index < texts.length; index += 2) event[texts[index] ?? ""] = texts[index + 1] ?? "";
    this.#event(version, sequence, event);
    return end;
  }

  #event(version: number, sequence: number, event: unknown): void {
    this.#print(event);
    this.#left--;
    if (this.#left === 0) this.#acknowledge(version, sequence);
  }
}

function serve(socket: Socket): void {
  const frames = new Frames(
    (event) => console.log(JSON.stringify(event)),
    (version, sequence) => {
      const ack = Buffer.from([version, 0x41, 0, 0, 0, 0]);
      ack.writeUInt32BE(sequence, 2);
      // Behind the word that the events could not be printed, which comes a turn later.
      setImmediate(() => socket.write(ack));
    },
  );
  socket.on("data", (chunk: Buffer) => {
    try {
      frames.push(chunk);
    } catch (error) {
      console.error(`lumberjack-sink: ${socket.remoteAddress}: ${messageOf(error)}`);
      socket.destroy();
    }
  });
  socket.on("error", (error) => console.error(`lumberjack-sink: ${messageOf(error)}`));
}

function serverOf(tls: SinkOptions["tls"]): Server {
  if (tls === undefined) return createPlainServer(serve);
  let server: Server;
  try {
    server = createServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, serve);
  } catch (error) {
    throw new UserError(
      `the certificate ${tls.cert} and the key ${tls.key} cannot be used: ${messageOf(error)}`,
      "give readable PEM files that belong together to --cert and --key",
    );
  }
  server.on("tlsClientError", (error) => console.error(`lumberjack-sink: ${messageOf(error)}`));
  return server;
}

function main(): void {
  const options = sinkOptions(process.argv.slice(2));
  if (options === "help")
    return console.log(usageText({ program: "lumberjack-sink", purpose: PURPOSE, table: sinkFlags }));
  if (options === "version") return console.log(versionLine("lumberjack-sink", MESOS_VERSION));
  const { host, port, tls } = options;
  const server = serverOf(tls);
  const place = (at: number): string => `${host.includes(":") ? `[${host}]` : host}:${at}`;
  server.on("error", (error) => {
    const fix = "is a sink running already? Take another port: --listen=HOST:PORT";
    console.error(`lumberjack-sink: ${new UserError(`cannot listen on ${place(port)}: ${error.message}`, fix).text}`);
    process.exit(1);
  });
  server.listen({ host, port }, () => {
    const bound = server.address();
    console.error(`lumberjack-sink: listening on ${place(typeof bound === "object" && bound ? bound.port : port)}`);
  });
  // What nobody reads is not received: the writer ships it again to the next sink.
  process.stdout.on("error", () => process.exit(BROKEN_PIPE));
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
}

try {
  main();
} catch (error) {
  console.error(`lumberjack-sink: ${messageOf(error)}`);
  process.exit(1);
}
