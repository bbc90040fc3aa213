import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Complaints } from "./complaints.ts";
import {
  answerWhenQuiet,
  type Connection,
  connectionOf,
  type InboundMessage,
  refuse,
  type Slot,
} from "./connection.ts";
import { classify, onFirstBytes } from "./first-byte.ts";
import { recognise } from "./framing.ts";
import { MessageBodies } from "./message-bodies.ts";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface InboundLimits {
  /** Bytes of one message, after decompression. */
  readonly message: number;
  /** Bytes of all incomplete messages together. */
  readonly incomplete: number;
  readonly connections: number;
  /** HTTP requests that wait behind another one on their connection, over all connections. */
  readonly waitingRequests: number;
  /** Milliseconds that a request's head may take from its first byte on. (Silence before it is unlimited.) */
  readonly head: number;
}

export const DEFAULT_LIMITS: InboundLimits = {
  message: 64 * 1024 ** 2,
  incomplete: 256 * 1024 ** 2,
  connections: 16_384,
  waitingRequests: 4_096,
  head: 60_000,
};

/** The accepting side of TLS. */
export interface TlsAcceptor {
  /** Plain connections are served too. */
  readonly downgrade: boolean;
  /** Where connections go whose handshake is through. */
  start(secured: (socket: Socket) => void): void;
  /** Does the handshake on a fresh connection; destroys it when that fails. */
  accept(socket: Socket): void;
  close(): void;
}

export interface ProcessServerOptions {
  readonly bind: { readonly ip: string; readonly port: number };
  readonly log: Logger;
  /** Where warnings about peers go. */
  readonly complaints: Complaints;
  readonly exists: (id: string) => boolean;
  readonly deliver: (message: InboundMessage) => void;
  readonly http: HttpHandler;
  readonly tls?: TlsAcceptor | undefined;
  readonly limits?: Partial<InboundLimits>;
  /** Answer 400 to senders whose address is not the connection's (LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH). */
  readonly requirePeerMatch?: boolean;
}

/**
 * One TCP port for libprocess messages and HTTP. Messages of one connection are delivered strictly in order; HTTP
 * requests of one connection are handled one after the other. No timeout ever ends a silent connection: links carry no
 * bytes for days, and a master takes a broken one for a lost agent.
 */
export class ProcessServer {
  readonly #options: ProcessServerOptions;
  readonly #limits: InboundLimits;
  readonly #bodies: MessageBodies;
  readonly #server: Server;
  readonly #speakHttp: (socket: Socket) => void;
  readonly #connections = new Map<Socket, Connection>();
  #waiting = 0;

  constructor(options: ProcessServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    options.tls?.start((socket) => this.#secured(socket));
    this.#bodies = new MessageBodies({ message: this.#limits.message, total: this.#limits.incomplete });
    this.#server = createServer(
      {
        requireHostHeader: false,
        keepAliveTimeout: 0,
        requestTimeout: 0,
        // Counted from the first byte: a connection reaches the HTTP parser only then (see #accept).
        headersTimeout: this.#limits.head,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 15_000,
        maxHeaderSize: 16_384,
      },
      (request, response) => this.#request(request, response),
    );
    this.#server.timeout = 0;
    this.#server.maxRequestsPerSocket = 0;
    this.#server.maxConnections = this.#limits.connections;
    // A peer without a link connects, sends one request and closes: the request must survive the end of file.
    (this.#server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    const [speakHttp] = this.#server.listeners("connection");
    this.#speakHttp = (socket) => {
      speakHttp?.call(this.#server, socket);
      process.nextTick(() => socket.resume());
    };
    this.#server.removeAllListeners("connection");
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("clientError", (error, socket) => this.#clientError(error, socket as Socket));
    this.#server.on("drop", () => options.complaints.warn("Refused a connection: too many are open"));
  }

  /** Starts to listen; the bound port (for port 0). Throws a UserError when the address is not to be had. */
  listen(): Promise<number> {
    const { ip, port } = this.#options.bind;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error) => reject(bindError(error, ip, port)));
      this.#server.listen({ host: ip, port, backlog: 1024 }, () => {
        this.#server.removeAllListeners("error");
        this.#server.on("error", (error) => this.#options.log.error(`Cannot accept connections: ${messageOf(error)}`));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Connections open, bytes of incomplete messages and HTTP requests waiting: for metrics and tests. */
  get load(): { readonly connections: number; readonly incompleteBytes: number; readonly waitingRequests: number } {
    return {
      connections: this.#connections.size,
      incompleteBytes: this.#bodies.held,
      waitingRequests: this.#waiting,
    };
  }

  /** Stops listening and breaks every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#options.tls?.close();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#track(socket);
    const { tls } = this.#options;
    if (tls === undefined) this.#plain(socket);
    else if (!tls.downgrade) tls.accept(socket);
    else {
      onFirstBytes(
        socket,
        (bytes) => classify(bytes) !== "undecided",
        (bytes) => {
          if (classify(bytes) === "tls") tls.accept(socket);
          else this.#speakHttp(socket);
        },
      );
    }
  }

  #secured(socket: Socket): void {
    this.#track(socket);
    this.#plain(socket);
  }

  #plain(socket: Socket): void {
    onFirstBytes(
      socket,
      () => true,
      () => this.#speakHttp(socket),
    );
  }

  #track(socket: Socket): void {
    this.#connections.set(socket, connectionOf(socket));
    socket.on("error", (error) => this.#options.log.verbose(2, `Connection broke: ${messageOf(error)}`));
    socket.once("close", () => {
      const connection = this.#connections.get(socket);
      this.#connections.delete(socket);
      this.#waiting -= connection?.requests.length ?? 0;
      if (connection !== undefined) connection.requests.length = 0;
    });
  }

  #clientError(error: Error, socket: Socket): void {
    this.#options.log.verbose(1, `Unreadable request from ${socket.remoteAddress}: ${messageOf(error)}`);
    if (socket.writable && codeOf(error) !== "ECONNRESET" && socket.bytesWritten === 0) {
      const status =
        codeOf(error) === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
    } else socket.destroy();
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    // 'request' can still be emitted for what was parsed before the connection broke: the message counts.
    const at = connection ?? connectionOf(request.socket);
    // Writing an answer to a peer that has closed already is normal.
    response.on("error", () => undefined);
    const recognised = recognise(request.method, request.url ?? "", request.headers);
    if (recognised.kind === "message") this.#message(at, recognised, request, response);
    else if (recognised.kind === "http") this.#http(at, request, response);
    else {
      this.#options.complaints.warn(`Dropped a message from ${request.socket.remoteAddress}: ${recognised.why}`);
      refuse(at, request, response, recognised.status);
    }
  }

  #message(
    at: Connection,
    { from, to, name }: Omit<InboundMessage, "body">,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const peer = request.socket.remoteAddress?.replace(/^::ffff:/, "");
    const mismatch = this.#options.requirePeerMatch === true && peer !== from?.ip;
    if (mismatch || !this.#options.exists(to)) {
      refuse(at, request, response, mismatch ? 400 : 404);
      return;
    }
    const slot: Slot = { ready: undefined, release: () => undefined };
    at.messages.push(slot);
    this.#bodies.read(request).then(
      ({ body, release }) => {
        slot.ready = { from, to, name, body };
        slot.release = release;
        this.#deliver(at);
        response.statusCode = 202;
        answerWhenQuiet(at, response);
      },
      (error: unknown) => {
        this.#options.complaints.warn(`Dropped ${name.slice(0, 200)} from ${from?.id ?? peer}: ${messageOf(error)}`);
        slot.ready = "dropped";
        this.#deliver(at);
        response.statusCode = 400;
        answerWhenQuiet(at, response);
      },
    );
  }

  #deliver(connection: Connection): void {
    for (let first = connection.messages[0]; first?.ready !== undefined; first = connection.messages[0]) {
      connection.messages.shift();
      first.release();
      if (first.ready === "dropped") continue;
      try {
        this.#options.deliver(first.ready);
      } catch (error) {
        this.#options.log.error(`Handling ${first.ready.name} failed: ${messageOf(error)}`);
      }
    }
  }

  #http(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    const handle = (): void => {
      connection.busy = true;
      response.once("close", () => {
        connection.busy = false;
        const next = connection.requests.shift();
        if (next === undefined) return;
        this.#waiting--;
        next();
      });
      try {
        this.#options.http(request, response);
      } catch (error) {
        this.#options.log.error(`Handling ${request.method} ${request.url} failed: ${messageOf(error)}`);
        if (!response.headersSent) response.statusCode = 500;
        response.end();
      }
    };
    if (!connection.busy) {
      handle();
      return;
    }
    if (this.#waiting >= this.#limits.waitingRequests) {
      this.#options.complaints.warn(
        `Closed the connection of ${request.socket.remoteAddress}: too many requests are waiting`,
      );
      request.socket.destroy();
      return;
    }
    this.#waiting++;
    connection.requests.push(handle);
  }
}

function bindError(error: Error, ip: string, port: number): UserError {
  const code = codeOf(error);
  const options = { cause: error };
  if (code === "EADDRINUSE")
    return new UserError(`${ip}:${port} is in use`, "stop what listens there, or choose another --port", options);
  if (code === "EADDRNOTAVAIL")
    return new UserError(`${ip} is not an address of this machine`, "give one that is to --ip (0.0.0.0: all)", options);
  if (code === "EACCES")
    return new UserError(`port ${port} may not be bound by this user`, "choose a --port above 1023", options);
  return new UserError(`cannot listen on ${ip}:${port}: ${error.message}`, undefined, options);
}
