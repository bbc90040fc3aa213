/**
 * A Lumberjack receiver for demonstrations and tests: with TLS or without, versions 1 and 2, every event printed as one line of
 * JSON. It keeps nothing; Logstash is the real thing.
 */
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type Server, type Socket } from "node:net";
import { createServer } from "node:tls";
import { parseArgs } from "node:util";
import { inflateSync } from "node:zlib";
import { messageOf, UserError } from "../base/errors.ts";

const HELP = `lumberjack-sink: prints what a Lumberjack writer ships, one JSON object a line. For demonstrations.

  --listen HOST:PORT   Default 0.0.0.0:5043.
  --cert FILE          Certificate, PEM. Without it and --key: no TLS ("ssl enabled": false at the forwarder).
  --key FILE           Its key, PEM.`;

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
      socket.write(ack);
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

function serverOf(cert: string | undefined, key: string | undefined): Server {
  if (cert === undefined && key === undefined) return createPlainServer(serve);
  if (cert === undefined || key === undefined)
    throw new UserError("--cert and --key belong together", "give both for TLS, or neither for a plain connection");
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, serve);
  server.on("tlsClientError", (error) => console.error(`lumberjack-sink: ${messageOf(error)}`));
  return server;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", default: "0.0.0.0:5043" },
      cert: { type: "string" },
      key: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(HELP);
  const server = serverOf(values.cert, values.key);
  server.on("error", (error) => {
    console.error(`lumberjack-sink: cannot listen on ${values.listen}: ${messageOf(error)}`);
    process.exit(1);
  });
  const at = values.listen.lastIndexOf(":");
  server.listen({ host: values.listen.slice(0, at), port: Number(values.listen.slice(at + 1)) }, () =>
    console.error(`lumberjack-sink: listening on ${values.listen}`),
  );
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
}

try {
  main();
} catch (error) {
  console.error(`lumberjack-sink: ${messageOf(error)}`);
  process.exit(1);
}
