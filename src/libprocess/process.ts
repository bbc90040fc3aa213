import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { HttpHandler } from "../http/site.ts";
import { decodeForeign, encode } from "../mesos/codec.ts";
import { MOST_OBJECTS } from "../mesos/cost.ts";
import type { ChannelLimits, Dialer } from "./channel.ts";
import type { InboundMessage } from "./connection.ts";
import { ProcessServer, type TlsAcceptor } from "./inbound.ts";
import type { InboundLimits } from "./inbound-limits.ts";
import { type Exited, Links } from "./outbound.ts";
import { plainDialer } from "./plain-dialer.ts";
import { RateLimitedWarnings } from "./rate-limited-warnings.ts";
import { openReception, type Reception, type Receptions } from "./reception.ts";
import { formatUPID, type UPID } from "./upid.ts";

export type MessageHandler = (from: UPID | undefined, body: Uint8Array) => void;

export interface ProcessOptions {
  /** `slave(1)`, `master`. */
  readonly id: string;
  /** Port 0: any. */
  readonly bind: { readonly ip: string; readonly port: number };
  /** What peers are told to dial; the bound port when none is given. */
  readonly advertise: { readonly ip: string; readonly port?: number };
  readonly log: Logger;
  readonly clock: Clock;
  readonly tls?: { readonly acceptor: TlsAcceptor; readonly dialer: Dialer } | undefined;
  readonly requirePeerMatch?: boolean;
  readonly limits?: { readonly inbound?: Partial<InboundLimits>; readonly outbound?: Partial<ChannelLimits> };
}

/** What the processes of one port share. */
interface Port {
  readonly server: ProcessServer;
  readonly links: Links;
  readonly processes: Map<string, Process>;
  readonly complaints: RateLimitedWarnings;
  readonly address: { readonly ip: string; readonly port: number };
  http: HttpHandler;
  receptions: Receptions;
}

const notFound: HttpHandler = (request, response) => {
  request.resume();
  response.statusCode = 404;
  response.end();
};

/**
 * A libprocess process: an id on a port that receives messages by name and sends them. Several processes share a port
 * (`spawn`), with its HTTP, its links and its order of messages.
 */
export class Process {
  readonly self: UPID;
  readonly #port: Port;
  readonly #handlers = new Map<string, MessageHandler>();
  readonly #exited = new Set<Exited>();

  private constructor(id: string, port: Port) {
    if (port.processes.has(id)) throw new Error(`process '${id}' exists`);
    this.self = { id, ...port.address };
    this.#port = port;
    port.processes.set(id, this);
  }

  /** Binds, listens and returns the first process of the port. Throws a UserError when the address is not to be had. */
  static async start(options: ProcessOptions): Promise<Process> {
    const { log, clock, bind, advertise, limits, tls } = options;
    const processes = new Map<string, Process>();
    const complaints = new RateLimitedWarnings(log, clock);
    const shared: { http: HttpHandler; receptions: Receptions } = { http: notFound, receptions: openReception };
    const server = new ProcessServer({
      bind,
      log,
      clock,
      complaints,
      tls: tls?.acceptor,
      ...(limits?.inbound === undefined ? {} : { limits: limits.inbound }),
      requirePeerMatch: options.requirePeerMatch ?? false,
      reception: (to, name) => processes.get(to)?.reception(name) ?? "nobody",
      deliver: (message) => processes.get(message.to)?.deliver(message),
      http: (request, response) => port.http(request, response),
    });
    const bound = await server.listen();
    const links = new Links({
      dialer: tls?.dialer ?? plainDialer(bind.ip),
      clock,
      log,
      ...(limits?.outbound === undefined ? {} : { limits: limits.outbound }),
    });
    const address = { ip: advertise.ip, port: advertise.port ?? bound };
    const port: Port = Object.assign(shared, { server, links, processes, complaints, address });
    return new Process(options.id, port);
  }

  /** A further process on this port. Throws when the id is taken. */
  spawn(id: string): Process {
    return new Process(id, this.#port);
  }

  /** Who is heard on this port, by the message's name. Before that everybody is. */
  receive(receptions: Receptions): void {
    this.#port.receptions = receptions;
  }

  /** Calls `handler` for every message of this name; replaces an earlier handler. */
  on(name: string, handler: MessageHandler): void {
    this.#handlers.set(name, handler);
  }

  /**
   * Calls `handler` with every readable message of this type, whose name on the wire is the type's. One that cannot be
   * read, or lacks a required field, is dropped with a warning, as real receivers do.
   */
  install<D extends DescMessage>(
    schema: D,
    handler: (from: UPID | undefined, message: MessageShape<D>) => void,
    name: string = schema.typeName,
  ): void {
    this.on(name, (from, body) => {
      let message: MessageShape<D>;
      try {
        message = decodeForeign(schema, body, this.#port.receptions(name)?.objects ?? MOST_OBJECTS);
      } catch (error) {
        this.#port.complaints.warn(`Dropped a message from ${formatUPID(from)}: ${messageOf(error)}`);
        return;
      }
      handler(from, message);
    });
  }

  /** Sends bytes under a name; to undefined ("no pid") it does nothing. */
  sendBytes(to: UPID | undefined, name: string, body: Uint8Array = new Uint8Array()): void {
    this.#port.links.send(to, this.self, name, body);
  }

  /** Sends a message under its type's name (or `name`). Throws a MessageError when a required field is not set. */
  send<D extends DescMessage>(
    to: UPID | undefined,
    schema: D,
    message: MessageShape<D>,
    name: string = schema.typeName,
  ): void {
    this.sendBytes(to, name, encode(schema, message));
  }

  /** See Links.link. */
  link(upid: UPID, exited: Exited): void {
    this.#exited.add(exited);
    this.#port.links.link(upid, exited);
  }

  /** See Links.relink. */
  relink(upid: UPID, exited: Exited): void {
    this.#exited.add(exited);
    this.#port.links.relink(upid, exited);
  }

  /** Drops the links that were made with `exited`. */
  unlink(exited: Exited): void {
    this.#exited.delete(exited);
    this.#port.links.unlink(exited);
  }

  /** Hands every HTTP request of the port that is not a message to `handler`. Before that they get 404. */
  http(handler: HttpHandler): void {
    this.#port.http = handler;
  }

  /** Ids on this port. */
  get ids(): readonly string[] {
    return [...this.#port.processes.keys()];
  }

  /** What the port has open and queued, for metrics. */
  get load(): ProcessServer["load"] & Links["load"] {
    return { ...this.#port.server.load, ...this.#port.links.load };
  }

  /** Ends this process only: messages to its id get 404, its links are dropped. */
  terminate(): void {
    this.#port.processes.delete(this.self.id);
    for (const exited of this.#exited) this.#port.links.unlink(exited);
    this.#exited.clear();
  }

  /** Ends every process of the port: writes what is queued, stops listening, breaks all connections. */
  async close(): Promise<void> {
    this.#port.processes.clear();
    await this.#port.links.close();
    await this.#port.server.close();
  }

  private reception(name: string): Reception | "unhandled" {
    return (this.#handlers.has(name) ? this.#port.receptions(name) : undefined) ?? "unhandled";
  }

  private deliver({ name, from, peer, body }: InboundMessage): void {
    // What was said before it may have changed who is heard.
    const reception = this.#port.receptions(name);
    const objection = reception === undefined ? "it is not known here" : reception.objection?.(from, peer);
    if (objection === undefined) this.#handlers.get(name)?.(from, body);
    else this.#port.complaints.warn(`Ignoring ${name} from ${formatUPID(from)}: ${objection}`);
  }
}
