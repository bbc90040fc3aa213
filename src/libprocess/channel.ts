import type { Socket } from "node:net";
import type { Clock, Timer } from "../base/clock.ts";

export interface ChannelLimits {
  /** Bytes that may wait to be written to one peer. */
  readonly queue: number;
  /** Milliseconds that a connect may take, TLS handshake included. */
  readonly connect: number;
  /** Milliseconds between our end of file and giving up on the peer's. */
  readonly linger: number;
  /** Connections at once to peers that are not linked: anybody can ask for an answer to an address of his choice. */
  readonly temporary: number;
}

export const DEFAULT_CHANNEL_LIMITS: ChannelLimits = {
  queue: 128 * 1024 ** 2,
  connect: 10_000,
  linger: 2_000,
  temporary: 512,
};

/** Opens a connection; `ready` when messages may be written, `failed` once when it could not be made or broke. */
export interface Dialer {
  dial(peer: { ip: string; port: number }, ready: (socket: Socket) => void, failed: (error: Error) => void): Dialing;
}

export interface Dialing {
  /** Gives up, without calling anything any more. */
  abandon(): void;
}

export interface ChannelEvents {
  /**
   * The connection broke after `lived` milliseconds, or was never made (undefined). Not called after `close` or `finish`.
   */
  readonly broken: (why: string, lived: number | undefined) => void;
  /** Everything has been handed to the kernel. */
  readonly idle: () => void;
}

/**
 * One outgoing connection that carries messages in order. What the peer answers is read and thrown away: senders never
 * match answers to messages.
 *
 *   connecting → open → finishing → gone
 *        └────────┴──────────────────→ gone (broken)
 */
export class Channel {
  readonly #clock: Clock;
  readonly #limits: ChannelLimits;
  readonly #events: ChannelEvents;
  readonly #dialing: Dialing;
  readonly #deadline: Timer;
  #state: "connecting" | "open" | "finishing" | "gone" = "connecting";
  #socket: Socket | undefined;
  /** Messages for the next write: until the connection is made, then until the turn of the event loop is over. */
  #queue: Buffer[] = [];
  #isFlushing = false;
  #unwritten = 0;
  #openedAt: number | undefined;
  #resolveGone: () => void = () => undefined;
  /** Resolves when the connection is closed, for whatever reason. */
  readonly gone = new Promise<void>((resolve) => {
    this.#resolveGone = resolve;
  });

  constructor(
    peer: { ip: string; port: number },
    dialer: Dialer,
    clock: Clock,
    limits: ChannelLimits,
    events: ChannelEvents,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#events = events;
    this.#deadline = clock.after(limits.connect, () => this.#break(`no connection within ${limits.connect} ms`));
    this.#dialing = dialer.dial(
      peer,
      (socket) => this.#opened(socket),
      (error) => this.#break(error.message),
    );
  }

  /** Bytes handed over and not yet taken by the kernel. */
  get unwritten(): number {
    return this.#unwritten;
  }

  /** Whether messages may still be written. */
  get usable(): boolean {
    return this.#state === "connecting" || this.#state === "open";
  }

  /** Queues one message. Breaks the connection when the peer does not take what it is sent. */
  write(bytes: Buffer): void {
    if (!this.usable) return;
    this.#unwritten += bytes.length;
    if (this.#unwritten > this.#limits.queue) {
      this.#break(`the peer does not take its messages: ${this.#unwritten} bytes are waiting`);
      return;
    }
    this.#queue.push(bytes);
    if (this.#socket === undefined || this.#isFlushing) return;
    this.#isFlushing = true;
    // Of a burst each message would be a write of its own, and wake the peer.
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** Writes what is queued, then closes gracefully: an abrupt close could take unread messages along. */
  finish(): void {
    if (this.#state === "connecting" && this.#queue.length > 0) {
      this.#state = "finishing";
      return;
    }
    const socket = this.#socket;
    if (socket === undefined) {
      this.close();
      return;
    }
    this.#flush();
    this.#state = "finishing";
    socket.end();
    const timer = this.#clock.after(this.#limits.linger, () => socket.destroy());
    socket.once("close", () => timer.cancel());
  }

  /** Closes at once, without an event. */
  close(): void {
    this.#state = "gone";
    this.#deadline.cancel();
    this.#dialing.abandon();
    this.#resolveGone();
    this.#queue = [];
    this.#unwritten = 0;
    this.#socket?.destroy();
  }

  #opened(socket: Socket): void {
    if (this.#state === "gone") {
      socket.destroy();
      return;
    }
    this.#deadline.cancel();
    this.#openedAt = this.#clock.monotonic();
    this.#socket = socket;
    socket.setKeepAlive(true, 15_000);
    socket.setNoDelay(true);
    socket.on("error", (error) => this.#break(error.message));
    socket.on("end", () => this.#break("the peer closed the connection"));
    socket.on("close", () => this.#break("the connection was closed"));
    socket.resume();
    const finishing = this.#state === "finishing";
    this.#state = "open";
    const isIdle = this.#queue.length === 0;
    if (finishing) this.finish();
    else if (isIdle) this.#events.idle();
    else this.#flush();
  }

  #flush(): void {
    const [socket, queue] = [this.#socket, this.#queue];
    if (socket === undefined || queue.length === 0) return;
    this.#queue = [];
    const [first] = queue;
    const bytes = queue.length === 1 && first !== undefined ? first : Buffer.concat(queue);
    socket.write(bytes, () => {
      this.#unwritten -= bytes.length;
      if (this.#unwritten === 0 && this.#state === "open") this.#events.idle();
    });
  }

  #break(why: string): void {
    if (this.#state === "gone") return;
    const silent = this.#state === "finishing";
    this.close();
    const lived = this.#openedAt === undefined ? undefined : this.#clock.monotonic() - this.#openedAt;
    if (!silent) this.#events.broken(why, lived);
  }
}
