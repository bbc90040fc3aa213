import type { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { NetworkSettings, ServerAddress, Version } from "../model/settings.ts";
import { AckReader } from "./ack-reader.ts";
import { dial, failureOf, nameOf } from "./dial.ts";
import { InFlight } from "./in-flight.ts";
import type { Parcel } from "./parcel.ts";
import { WindowSize } from "./window-size.ts";

/** Windows on the wire before the first is acknowledged. */
export const WINDOWS_IN_FLIGHT = 4;
/** Bytes that may wait in the socket before we stop writing. */
const SOCKET_BYTES = 1_048_576;

/** idle → connecting → ready → idle. How long to wait between is the publisher's decision. */
export type LinkState = "idle" | "connecting" | "ready";

export interface LinkEvents {
  /** May take windows now. */
  ready(link: Link): void;
  /** The parcel's origin is taken up to event `until`. `waited`: milliseconds since the window was written. */
  acked(link: Link, parcel: Parcel, until: number, complete: boolean, waited: number): void;
  /** The connection ended. `lost` has to be sent again, oldest first; `reason` is undefined for an idle close. */
  ended(link: Link, lost: Parcel[], reason: string | undefined): void;
}

export interface LinkContext {
  readonly network: NetworkSettings;
  readonly bulkSize: number;
  readonly clock: Clock;
  readonly events: LinkEvents;
  readonly preferred: Version;
}

/** One server and the connection to it, if there is one. */
export class Link {
  readonly server: ServerAddress;
  readonly name: string;
  readonly window: WindowSize;
  version: Version;
  state: LinkState = "idle";
  /** Events acknowledged since the start. */
  events = 0;
  failures = 0;
  lastError: string | undefined;
  readonly #context: LinkContext;
  readonly #inFlight = new InFlight();
  #parcels: Parcel[] = [];
  #socket: Socket | undefined;
  #reader = new AckReader();
  #timer: Timer | undefined;
  #signOfLife = 0;
  /** This version has been acknowledged on this server: no other is tried any more. */
  #versionKnown: boolean;

  constructor(server: ServerAddress, context: LinkContext) {
    this.server = server;
    this.name = nameOf(server);
    this.#context = context;
    this.version = context.preferred;
    this.#versionKnown = context.network.version !== "auto";
    this.window = new WindowSize(context.bulkSize);
  }

  get windowsInFlight(): number {
    return this.#inFlight.length;
  }

  /** Can take one more window now. */
  get hasRoom(): boolean {
    return (
      this.state === "ready" &&
      this.#inFlight.length < WINDOWS_IN_FLIGHT &&
      (this.#socket?.writableLength ?? 0) < SOCKET_BYTES
    );
  }

  /**
   * A window larger than any that was acknowledged goes alone: a receiver that refuses it hangs up, and what it had
   * taken of windows before it and not yet acknowledged would have to be sent again.
   */
  admits(events: number): boolean {
    return events <= this.window.proven || this.#inFlight.length === 0;
  }

  connect(): void {
    const { network, clock } = this.#context;
    this.state = "connecting";
    this.#reader = new AckReader();
    this.#signOfLife = clock.monotonic();
    try {
      const socket = dial(this.server, network.tls, () => {
        if (this.#socket !== socket) return;
        this.state = "ready";
        this.#context.events.ready(this);
      });
      this.#socket = socket;
      socket.on("data", (chunk) => this.#socket === socket && this.#receive(chunk));
      socket.on("drain", () => {
        if (this.#socket !== socket) return;
        this.#signOfLife = clock.monotonic();
        this.#context.events.ready(this);
      });
      socket.on("error", (error) => this.#socket === socket && this.#end(failureOf(error)));
      socket.on("end", () => this.#socket === socket && this.#end(this.#closedReason()));
      socket.on("close", () => this.#socket === socket && this.#end(this.#closedReason()));
      this.#watch();
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  /** Writes one window. The parcel's version is this link's, its size within the window. */
  send(parcel: Parcel): void {
    const now = this.#context.clock.monotonic();
    if (this.#inFlight.length === 0) this.#signOfLife = now;
    this.#inFlight.sent(parcel.batch, now);
    this.#parcels.push(parcel);
    this.#socket?.write(parcel.batch.wire);
    this.#watch();
  }

  /** Ends the connection without a word; what was in flight is returned. */
  close(): Parcel[] {
    return this.#drop();
  }

  #closedReason(): string | undefined {
    if (this.state === "connecting") return "the server closed the connection before it was ready";
    return this.#inFlight.length === 0
      ? undefined
      : `the server closed the connection with ${this.#inFlight.length} windows unacknowledged`;
  }

  #receive(chunk: Buffer): void {
    const now = this.#context.clock.monotonic();
    this.#signOfLife = now;
    try {
      for (const sequence of this.#reader.push(chunk)) this.#acknowledge(sequence, now);
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  #acknowledge(sequence: number, now: number): void {
    const landed = this.#inFlight.acknowledge(sequence, now);
    const parcel = this.#parcels[0];
    if (landed === undefined || parcel === undefined) return;
    const { flight, complete } = landed;
    this.#versionKnown = true;
    if (complete) {
      this.#parcels.shift();
      this.events += parcel.batch.events;
      this.window.landed(parcel.batch.events, now);
    }
    this.#context.events.acked(this, parcel, parcel.first + sequence, complete, now - flight.sentAt);
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    const wait = this.#deadline() - this.#context.clock.monotonic();
    if (!Number.isFinite(wait)) return;
    this.#timer = this.#context.clock.after(Math.max(1, wait), () => {
      this.#timer = undefined;
      this.#judge();
    });
  }

  /** When the present wait is too long, in monotonic milliseconds. */
  #deadline(): number {
    const { timeout, maximumWait } = this.#context.network;
    if (this.state === "connecting") return this.#signOfLife + timeout;
    const front = this.#inFlight.front;
    if (front === undefined) return Number.POSITIVE_INFINITY;
    return Math.min(Math.max(this.#signOfLife, front.frontSince) + timeout, front.frontSince + maximumWait);
  }

  #judge(): void {
    const { clock, network } = this.#context;
    if (clock.monotonic() < this.#deadline()) {
      this.#watch();
      return;
    }
    const front = this.#inFlight.front;
    if (front === undefined) {
      this.#end(`no connection within ${network.timeout / 1000} s`);
      return;
    }
    const waited = Math.round((clock.monotonic() - front.frontSince) / 1000);
    const sign = Math.round((clock.monotonic() - this.#signOfLife) / 1000);
    this.#end(`a window was not acknowledged within ${waited} s (last sign of life ${sign} s ago)`, true);
  }

  #end(reason: string | undefined, silent = false): void {
    const front = this.#inFlight.front;
    const { clock, network } = this.#context;
    if (front !== undefined) {
      this.window.lost(front.batch.events, clock.monotonic());
      if (!this.#versionKnown && network.version === "auto" && !silent) this.version = this.version === 1 ? 2 : 1;
    }
    if (reason !== undefined) {
      this.failures++;
      this.lastError = reason;
    }
    const lost = this.#drop();
    this.#context.events.ended(this, lost, reason);
  }

  #drop(): Parcel[] {
    const acked = this.#inFlight.abandon().map((flight) => flight.acked);
    const lost = this.#parcels.map((parcel, index) => ({ ...parcel, skip: acked[index] ?? 0 }));
    this.#parcels = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    this.state = "idle";
    socket?.on("error", () => undefined);
    socket?.destroy();
    return lost;
  }
}
