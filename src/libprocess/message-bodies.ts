import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { SerialQueue } from "../base/serial-queue.ts";

const inflate = promisify(gunzip);

export interface BodyLimits {
  /** Bytes of one message, after decompression. */
  readonly message: number;
  /** Bytes of all incomplete messages together. */
  readonly total: number;
}

interface Holder {
  bytes: number;
  readonly abandon: () => void;
}

export interface HeldBody {
  readonly body: Uint8Array;
  /** To be called once the message has been delivered. */
  readonly release: () => void;
}

/** Compressed messages that may wait for their turn; real senders never compress. */
const MOST_COMPRESSED = 64;

/**
 * Collects the bodies of messages within a common bound. When the bound is reached, the connection that holds most of it
 * is the one to go: a peer that dribbles large bodies evicts itself, not the others.
 */
export class MessageBodies {
  readonly #limits: BodyLimits;
  readonly #holders = new Set<Holder>();
  /** One at a time: a thousand small bombs must not swell at once. */
  readonly #inflating = new SerialQueue();
  #total = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Bytes held for messages that are not delivered yet. */
  get held(): number {
    return this.#total;
  }

  /**
   * The body of `request`, decompressed when it says gzip. Rejects when the peer goes away in the middle, when the body
   * is too large, when it cannot be decompressed, or when it was evicted.
   */
  async read(request: IncomingMessage): Promise<HeldBody> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const holder: Holder = {
      bytes: 0,
      abandon: () => {
        reject(new Error("too many incomplete messages; this connection held most of them"));
        request.socket.destroy();
      },
    };
    const release = (): void => {
      if (this.#holders.delete(holder)) this.#total -= holder.bytes;
    };
    this.#holders.add(holder);
    this.#collect(request, holder).then(resolve, reject);
    try {
      return { body: await this.#decompressed(request, await promise), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #decompressed(request: IncomingMessage, raw: Buffer): Promise<Uint8Array> {
    const encoding = request.headers["content-encoding"]?.trim().toLowerCase();
    if (raw.length === 0 || encoding === undefined || encoding === "identity") return raw;
    if (encoding !== "gzip") throw new Error(`content encoding '${encoding.slice(0, 40)}' is not supported`);
    if (this.#inflating.length >= MOST_COMPRESSED) throw new Error("too many compressed messages at once");
    return this.#inflating.add(() => inflate(raw, { maxOutputLength: this.#limits.message }));
  }

  #collect(request: IncomingMessage, holder: Holder): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => {
      if (!this.#holders.has(holder)) return;
      chunks.push(chunk);
      holder.bytes += chunk.length;
      this.#total += chunk.length;
      if (holder.bytes > this.#limits.message) {
        reject(new Error(`the message is larger than ${this.#limits.message} bytes`));
        chunks.length = 0;
        request.socket.destroy();
      } else if (this.#total > this.#limits.total) this.#evict();
    });
    request.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once("error", () => undefined);
    request.once("close", () => reject(new Error("the peer went away in the middle of a message")));
    return promise;
  }

  #evict(): void {
    let largest: Holder | undefined;
    for (const holder of this.#holders) if (largest === undefined || holder.bytes > largest.bytes) largest = holder;
    if (largest === undefined) return;
    this.#holders.delete(largest);
    this.#total -= largest.bytes;
    largest.abandon();
  }
}
