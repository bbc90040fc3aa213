import type { IncomingMessage } from "node:http";
import { type Clock, every, type Timer } from "../base/clock.ts";

export interface BodyLimits {
  /** Bytes of all bodies that are not handled yet together: of messages and of HTTP requests alike. */
  readonly total: number;
  /** Milliseconds that one may take from its head to its end. */
  readonly time: number;
}

/** A body that is not taken; `status` is what HTTP clients are told. */
export class BodyError extends Error {
  readonly status: 400 | 408 | 413 | 415 | 503;

  constructor(status: BodyError["status"], message: string) {
    super(message);
    this.name = "BodyError";
    this.status = status;
  }
}

interface Holder {
  bytes: number;
  readonly since: number;
  readonly abandon: (error: BodyError) => void;
}

export interface HeldBody {
  readonly body: Buffer;
  /** To be called once it has been handled. */
  readonly release: () => void;
}

/** How often bodies are looked at that take long, as a share of what they may take. */
const LOOKS = 4;

/**
 * Collects bodies within a common bound. When the bound is reached, the connection that holds most of it is the one to go: a
 * peer that dribbles large bodies evicts itself, not the others.
 */
export class Bodies {
  readonly #limits: BodyLimits;
  readonly #clock: Clock;
  readonly #holders = new Set<Holder>();
  #looking: Timer | undefined;
  #total = 0;

  constructor(limits: BodyLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Bytes held for what is not handled yet. */
  get held(): number {
    return this.#total;
  }

  /**
   * The body of `request`, of at most `most` bytes. Rejects with a BodyError when it is larger, takes too long, was evicted,
   * or the peer goes away in the middle; the request is read no further then, and the caller ends its connection.
   */
  async read(request: IncomingMessage, most: number): Promise<HeldBody> {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > most) throw tooLarge(most);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const chunks: Buffer[] = [];
    const abandon = (error: BodyError): void => {
      request.off("data", onData);
      request.pause();
      chunks.length = 0;
      release();
      reject(error);
    };
    const holder: Holder = { bytes: 0, since: this.#clock.monotonic(), abandon };
    const release = (): void => this.#forget(holder);
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      holder.bytes += chunk.length;
      this.#total += chunk.length;
      if (holder.bytes > most) abandon(tooLarge(most));
      else if (this.#total > this.#limits.total) this.#evict();
    };
    this.#add(holder);
    request.on("data", onData);
    request.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once("error", () => undefined);
    request.once("close", () => {
      if (!request.complete) abandon(new BodyError(400, "the peer went away in the middle"));
    });
    return { body: await promise, release };
  }

  /** Stops looking at the time. */
  close(): void {
    this.#looking?.cancel();
    this.#looking = undefined;
  }

  #add(holder: Holder): void {
    this.#holders.add(holder);
    this.#looking ??= every(this.#clock, this.#limits.time / LOOKS, () => this.#look());
  }

  #forget(holder: Holder): void {
    if (!this.#holders.delete(holder)) return;
    this.#total -= holder.bytes;
  }

  #look(): void {
    const latest = this.#clock.monotonic() - this.#limits.time;
    for (const holder of this.#holders) {
      if (holder.since <= latest) holder.abandon(new BodyError(408, `it took more than ${this.#limits.time} ms`));
    }
    if (this.#holders.size === 0) this.close();
  }

  #evict(): void {
    let largest: Holder | undefined;
    for (const holder of this.#holders) if (largest === undefined || holder.bytes > largest.bytes) largest = holder;
    largest?.abandon(new BodyError(503, "too many bodies at once; this connection held most of them"));
  }
}

const tooLarge = (most: number): BodyError => new BodyError(413, `it is larger than ${most} bytes`);

/** What a port lets those do who handle its requests. */
export interface RequestPort {
  readonly bodies: Bodies;
  /** See keepConnection. */
  readonly keep: () => void;
}

const ports = new WeakMap<IncomingMessage, RequestPort>();

/** Lets those who handle this request count its body among those of its port, and keep its connection. */
export function belongsTo(port: RequestPort, request: IncomingMessage): void {
  ports.set(request, port);
}

/** Requests that came by no port of ours (a plain server of a test) are counted by themselves. */
const alone: BodyLimits = { total: Number.POSITIVE_INFINITY, time: Number.POSITIVE_INFINITY };
const never: Clock = { now: () => 0, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };

/** The body of an HTTP request, of at most `most` bytes. Rejects with a BodyError. */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer> {
  const bodies = ports.get(request)?.bodies ?? new Bodies(alone, never);
  const { body, release } = await bodies.read(request, most);
  // What is made of it is not counted here: handlers bound that themselves.
  release();
  return body;
}

/** Says that the connection of this request is somebody's who is known: it is not given up to make room for others. */
export function keepConnection(request: IncomingMessage): void {
  ports.get(request)?.keep();
}
