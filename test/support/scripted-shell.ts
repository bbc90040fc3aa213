import { EventEmitter } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { PassThrough } from "node:stream";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Shell } from "../../src/cli/shell.ts";

/** A shell whose streams a test holds. `isTerminal`: input and output are one. */
export class ScriptedShell implements Shell {
  readonly environment: Record<string, string | undefined>;
  readonly input = Object.assign(new PassThrough(), { isTTY: false });
  /** What the terminal was told, in order. */
  readonly raw: boolean[] = [];
  readonly output = Object.assign(new PassThrough(), { isTTY: false, rows: 40, columns: 123 });
  readonly errors = new PassThrough();
  readonly signals = new EventEmitter();
  readonly clock: Clock;
  text = "";
  words = "";

  constructor({ isTerminal = false, clock = systemClock as Clock, environment = {} } = {}) {
    this.environment = environment;
    this.clock = clock;
    this.input.isTTY = isTerminal;
    this.output.isTTY = isTerminal;
    this.output.on("data", (chunk) => {
      this.text += chunk;
    });
    this.errors.on("data", (chunk) => {
      this.words += chunk;
    });
  }

  setRaw(isRaw: boolean): void {
    this.raw.push(isRaw);
  }

  /** Another size of the terminal. */
  resize(rows: number, columns: number): void {
    Object.assign(this.output, { rows, columns });
    this.output.emit("resize");
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse, body: () => Promise<Buffer>) => unknown;

/** An agent or a master whose pages a test writes: JSON, or what answers. */
export class ScriptedPages {
  readonly pages: Record<string, object | Answer> = {};
  /** `METHOD /path?query` of every request. */
  readonly asked: string[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(pages: ScriptedPages["pages"] = {}): Promise<ScriptedPages> {
    const server = createServer();
    const scripted = new ScriptedPages(server);
    Object.assign(scripted.pages, pages);
    server.on("connection", (socket: Socket) => {
      scripted.#sockets.add(socket);
      socket.on("error", () => undefined);
    });
    server.on("request", (request, response) => scripted.#answer(request, response));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return scripted;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(`${request.method} ${request.url}`);
    this.headers.push(request.headers);
    const page = this.pages[(request.url ?? "").split("?")[0] ?? ""];
    if (page === undefined) return void response.writeHead(404).end();
    if (typeof page !== "function") return void response.end(JSON.stringify(page));
    const body = async (): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    page(request, response, body);
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }
}
