import type { X509Certificate } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { Bodies, BodyError, belongsTo } from "../http/bodies.ts";
import type { HttpHandler } from "../http/site.ts";
import { bindError } from "./bind-error.ts";
import {
  answerWhenQuiet,
  type Connection,
  connectionOf,
  countRequest,
  type InboundMessage,
  keepHeld,
  refuse,
  type Slot,
} from "./connection.ts";
import { ConnectionBound } from "./connection-bound.ts";
import { classify, onFirstBytes } from "./first-byte.ts";
import { recognise } from "./framing.ts";
import { DEFAULT_LIMITS, type InboundLimits } from "./inbound-limits.ts";
import { MessageReader, type WholeMessage } from "./message-reader.ts";
import type { RateLimitedWarnings } from "./rate-limited-warnings.ts";
import type { Reception } from "./reception.ts";
import { formatUPID } from "./upid.ts";

/** The accepting side of TLS. */
export interface TlsAcceptor {
  /** Plain connections are served too. */
  readonly downgrade: boolean;
  /** Where connections go whose handshake is through, with the certificate that the peer showed and that was found good. */
  start(secured: (socket: Socket, certificate: X509Certificate | undefined) => void): void;
  /** Does the handshake on a fresh connection; destroys it when that fails. */
  accept(socket: Socket): void;
  close(): void;
}

export interface ProcessServerOptions {
  readonly bind: { readonly ip: string; readonly port: number };
  readonly log: Logger;
  readonly clock: Clock;
  /** Where warnings about peers go. */
  readonly complaints: RateLimitedWarnings;
  /** How a process takes messages of that name; "unhandled": it does not; "nobody": there is no such process. */
  readonly reception: (to: string, name: string) => Reception | "unhandled" | "nobody";
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
  readonly #bodies: Bodies;
  readonly #bound: ConnectionBound<Socket>;
  /** Connections whose handshake is under way, by the peer's address and port. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #server: Server;
  readonly #speakHttp: (socket: Socket) => void;
  readonly #connections = new Map<Socket, Connection>();
  #waiting = 0;

  constructor(options: ProcessServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { connections: all, connectionsPerAddress: perAddress, incomplete: total, body: time } = this.#limits;
    options.tls?.start((socket, certificate) => this.#secured(socket, certificate));
    this.#bodies = new Bodies({ total, time }, options.clock);
    this.#bound = new ConnectionBound({ all, perAddress: Math.min(all, perAddress) }, options.clock);
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
    // Who has to go is decided below; this only holds when connections come faster than closed ones are let go.
    this.#server.maxConnections = 2 * all;
    // A peer without a link connects, sends one request and closes: the request must survive the end of file.
    (this.#server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    const [speakHttp] = this.#server.listeners("connection");
    this.#speakHttp = (socket) => {
      speakHttp?.call(this.#server, socket);
      const connection = this.#connections.get(socket);
      if (connection !== undefined) keepHeld(connection);
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
    this.#bodies.close();
    await closed;
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const admitted = this.#bound.admit(socket, address);
    if (admitted === "refused") {
      this.#options.complaints.warn(`Refused a connection from ${address}: too many are open, and all are in use`);
      socket.destroy();
      return;
    }
    if (admitted.victim !== undefined) {
      this.#options.complaints.warn(
        `Closed an unused connection from ${admitted.victim.remoteAddress}: too many are open`,
      );
      admitted.victim.destroy();
    }
    socket.once("close", () => this.#bound.remove(socket));
    this.#track(socket, socket, undefined);
    const { tls } = this.#options;
    if (tls === undefined) this.#plain(socket);
    else if (!tls.downgrade) this.#shake(socket);
    else {
      onFirstBytes(
        socket,
        (bytes) => classify(bytes) !== "undecided",
        (bytes) => {
          if (classify(bytes) === "tls") this.#shake(socket);
          else this.#listenTo(socket);
        },
      );
    }
  }

  #shake(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#handshakes.set(peer, socket);
    socket.once("close", () => this.#handshakes.delete(peer));
    this.#options.tls?.accept(socket);
  }

  #secured(socket: Socket, certificate: X509Certificate | undefined): void {
    const raw = this.#handshakes.get(`${socket.remoteAddress}:${socket.remotePort}`);
    this.#track(socket, raw ?? socket, certificate);
    this.#plain(socket);
  }

  #plain(socket: Socket): void {
    onFirstBytes(
      socket,
      () => true,
      () => this.#listenTo(socket),
    );
  }

  #listenTo(socket: Socket): void {
    const at = this.#connections.get(socket) ?? connectionOf(socket);
    const reader = new MessageReader(socket, {
      take: (message) => this.#takeWhole(at, message),
      isKnown: () => at.isKept,
      handOver: () => this.#speakHttp(socket),
    });
    at.answerFirst = () => reader.answer();
  }

  /** False where there is more to it than to hand it on. */
  #takeWhole(at: Connection, { url, headers, body }: WholeMessage): boolean {
    const { requirePeerMatch, reception } = this.#options;
    const recognised = recognise("POST", url, headers);
    if (recognised.kind !== "message") return false;
    const { from, to, name } = recognised;
    if (requirePeerMatch === true && at.peer.address !== from?.ip) return false;
    const taken = reception(to, name);
    if (typeof taken === "string" || body.length > taken.limit) return false;
    if (taken.objection?.(from, at.peer) !== undefined) return false;
    this.#keep(at, taken);
    this.#handOn({ from, to, name, peer: at.peer, body: Buffer.from(body) });
    return true;
  }

  #keep(at: Connection, taken: Reception): void {
    at.isKept ||= taken.objection !== undefined;
    this.#bound.set(at.raw, at.isKept ? "kept" : "idle");
  }

  #handOn(message: InboundMessage): void {
    try {
      this.#options.deliver(message);
    } catch (error) {
      this.#options.log.error(`Handling ${message.name} failed: ${messageOf(error)}`);
    }
  }

  #track(socket: Socket, raw: Socket, certificate: X509Certificate | undefined): void {
    this.#connections.set(socket, connectionOf(socket, raw, certificate));
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
    countRequest(at);
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
    { from, to, name }: Omit<InboundMessage, "body" | "peer">,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const { complaints, requirePeerMatch, reception } = this.#options;
    const { peer } = at;
    const refuseWith = (status: number, why?: string): void => {
      if (!at.isKept) this.#bound.set(at.raw, "idle");
      if (why !== undefined) complaints.warn(`Ignoring ${name.slice(0, 200)} from ${formatUPID(from)}: ${why}`);
      refuse(at, request, response, status);
    };
    if (requirePeerMatch === true && peer.address !== from?.ip)
      return refuseWith(400, `it comes from ${peer.address}, and LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH is set`);
    const taken = reception(to, name);
    if (taken === "nobody") return refuseWith(404);
    if (taken === "unhandled") return refuseWith(202);
    if (isCompressed(request)) return refuseWith(415, "compressed messages are not taken; nobody real sends any");
    const objection = taken.objection?.(from, peer);
    if (objection !== undefined) return refuseWith(202, objection);
    this.#keep(at, taken);
    this.#take(at, { from, to, name, peer }, taken.limit, request, response);
  }

  #take(
    at: Connection,
    head: Omit<InboundMessage, "body">,
    limit: number,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const slot: Slot = { ready: undefined, release: () => undefined };
    at.messages.push(slot);
    this.#bodies.read(request, limit).then(
      ({ body, release }) => {
        slot.ready = { ...head, body };
        slot.release = release;
        this.#deliver(at);
        response.statusCode = 202;
        answerWhenQuiet(at, response);
      },
      (error: unknown) => {
        const { name, from } = head;
        this.#options.complaints.warn(
          `Dropped ${name.slice(0, 200)} from ${formatUPID(from)} at ${head.peer.address}: ${messageOf(error)}`,
        );
        slot.ready = "dropped";
        this.#deliver(at);
        // What was not read of it would be taken for the next request.
        if (error instanceof BodyError) at.socket.destroy();
      },
    );
  }

  #deliver(connection: Connection): void {
    for (let first = connection.messages[0]; first?.ready !== undefined; first = connection.messages[0]) {
      connection.messages.shift();
      first.release();
      if (first.ready !== "dropped") this.#handOn(first.ready);
    }
  }

  #http(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    const handle = (): void => {
      connection.answerFirst();
      connection.busy = true;
      this.#bound.set(connection.raw, "kept");
      const keep = (): void => {
        connection.isKept = true;
      };
      if (hasBody(request)) belongsTo({ bodies: this.#bodies, keep }, request);
      response.once("close", () => {
        connection.busy = false;
        if (!connection.isKept && connection.requests.length === 0) this.#bound.set(connection.raw, "idle");
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

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

function isCompressed({ headers }: IncomingMessage): boolean {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  return encoding !== "" && encoding !== "identity";
}
