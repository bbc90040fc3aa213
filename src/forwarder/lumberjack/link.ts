import type { LookupFunction, Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { nameOf } from "../model/address.ts";
import type { NetworkSettings, ServerAddress, Version } from "../model/settings.ts";
import { AckReader, ProtocolError } from "./ack-reader.ts";
import { inAnyOrder } from "./addresses.ts";
import { Depth, WINDOWS_IN_FLIGHT } from "./depth.ts";
import { dial, failureOf, NOT_TLS } from "./dial.ts";
import { Dialect } from "./dialect.ts";
import { InFlight } from "./in-flight.ts";
import type { Parcel } from "./parcel.ts";
import { WindowSize } from "./window-size.ts";

/** Bytes that may wait in the socket before we stop writing. */
const SOCKET_BYTES = 1_048_576;
/** Events of a window while it is not known whether the receiver takes several at once. */
const PROBE_EVENTS = 64;
/** The end of the second window of a probe follows so many milliseconds after its beginning. */
const PROBE_GAP = 20;
/** A pair is waited for at least so many milliseconds, and so many times what the window before it took. */
const PAIR_PATIENCE = 2000;
const PAIR_FACTOR = 4;

/** idle → connecting → ready → idle. How long to wait between is the publisher's decision. */
export type LinkState = "idle" | "connecting" | "ready";

/**
 * Why a connection ended. `idle` and `lifetime` are normal, with nothing in flight. `depth`: the receiver takes one
 * window at a time, and is connected to again at once. `failure` is anything else.
 */
export interface Ending {
  readonly kind: "idle" | "lifetime" | "depth" | "failure";
  readonly reason: string;
}

export interface LinkEvents {
  /** The connection stands. */
  connected(link: Link): void;
  /** May take windows now. */
  ready(link: Link): void;
  /** The parcel's origin is taken up to event `until`. `waited`: milliseconds since the window was written. */
  acked(link: Link, parcel: Parcel, until: number, complete: boolean, waited: number): void;
  /** The connection ended. `lost` has to be sent again, oldest first. */
  ended(link: Link, lost: Parcel[], ending: Ending): void;
}

export interface LinkContext {
  readonly network: NetworkSettings;
  readonly bulkSize: number;
  readonly clock: Clock;
  readonly events: LinkEvents;
  readonly preferred: Version;
  /** 0 to 1. */
  random(): number;
}

/** One server and the connection to it, if there is one. */
export class Link {
  readonly server: ServerAddress;
  readonly name: string;
  readonly window: WindowSize;
  state: LinkState = "idle";
  /** Events acknowledged since the start. */
  events = 0;
  failures = 0;
  lastError: string | undefined;
  readonly #context: LinkContext;
  readonly #dialect: Dialect;
  readonly #lookup: LookupFunction;
  readonly #depth = new Depth();
  readonly #inFlight = new InFlight();
  #parcels: Parcel[] = [];
  #socket: Socket | undefined;
  #reader = new AckReader();
  #timer: Timer | undefined;
  /** Timers of the connection: its lifetime, the rest before its first window, the end of a probe. */
  readonly #timers = new Set<Timer>();
  #signOfLife = 0;
  /** Some byte came over this connection. */
  #answered = false;
  /** Windows of a probe that are not written yet, and whether a pair is in flight. */
  #probe: Buffer[] = [];
  #pair = false;
  /** Windows of which a part is not written yet. */
  #unfinished = 0;
  /** Milliseconds from a window's writing to its acknowledgement, the last time. */
  #lastWait = 0;
  /** Its time is over: nothing more is written, and it ends with the last acknowledgement. */
  #retiring = false;

  constructor(server: ServerAddress, context: LinkContext) {
    this.server = server;
    this.name = nameOf(server);
    this.#context = context;
    this.#dialect = new Dialect(context.network.version, context.preferred);
    this.#lookup = inAnyOrder(context.random);
    this.window = new WindowSize(context.bulkSize);
  }

  get version(): Version {
    return this.#dialect.version;
  }

  get windowsInFlight(): number {
    return this.#inFlight.length;
  }

  /** Events that the next window may hold. */
  get room(): number {
    const untried = this.#depth.at(this.#context.clock.monotonic()) === "untried";
    return untried ? Math.min(this.window.current, PROBE_EVENTS) : this.window.current;
  }

  /** Can take one more window now. */
  get hasRoom(): boolean {
    if (this.state !== "ready" || this.#retiring) return false;
    const flying = this.#inFlight.length;
    if (flying === 0) return true;
    const depth = this.#depth.at(this.#context.clock.monotonic());
    // The second of a pair comes in the same turn as the first, or not at all.
    if (depth === "untried") return flying === 1 && this.#probe.length === 1;
    return depth === "proven" && flying < WINDOWS_IN_FLIGHT && (this.#socket?.writableLength ?? 0) < SOCKET_BYTES;
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
    [this.#signOfLife, this.#answered, this.#retiring, this.#pair] = [clock.monotonic(), false, false, false];
    this.#unfinished = 0;
    try {
      const socket = dial(this.server, network.tls, this.#lookup, () => this.#socket === socket && this.#connected());
      this.#socket = socket;
      socket.on("data", (chunk) => this.#socket === socket && this.#receive(chunk));
      socket.on("drain", () => {
        if (this.#socket !== socket) return;
        this.#signOfLife = clock.monotonic();
        this.#context.events.ready(this);
      });
      socket.on("error", (error) => this.#socket === socket && this.#end(failureOf(error), "peer"));
      socket.on("end", () => this.#socket === socket && this.#hungUp());
      socket.on("close", () => this.#socket === socket && this.#hungUp());
      this.#watch();
    } catch (error) {
      this.#end(messageOf(error), "us");
    }
  }

  /** Writes one window. The parcel's version is this link's, its size within the window. */
  send(parcel: Parcel): void {
    const now = this.#context.clock.monotonic();
    if (this.#inFlight.length === 0) this.#signOfLife = now;
    this.#inFlight.sent(parcel.batch, now);
    this.#parcels.push(parcel);
    if (this.#depth.at(now) === "untried" && this.window.proven > 0) this.#probeWith(parcel.batch.wire);
    else this.#socket?.write(parcel.batch.wire);
    this.#watch();
  }

  /** Ends the connection without a word; what was in flight is returned. */
  close(): Parcel[] {
    return this.#drop();
  }

  #connected(): void {
    const { network, clock, events, random } = this.#context;
    events.connected(this);
    // Those that connected together do not come again together.
    if (network.connectionLifetime > 0)
      this.#after(network.connectionLifetime * (0.9 + 0.2 * random()), () => {
        this.#retiring = true;
        if (this.#inFlight.length === 0) this.#retire();
      });
    const ready = () => {
      this.state = "ready";
      this.#signOfLife = clock.monotonic();
      events.ready(this);
    };
    if (this.#dialect.hold > 0) this.#after(this.#dialect.hold, ready);
    else ready();
  }

  #after(milliseconds: number, action: () => void): void {
    const timer = this.#context.clock.after(milliseconds, () => {
      this.#timers.delete(timer);
      action();
    });
    this.#timers.add(timer);
  }

  /**
   * Writes a pair so that a receiver which mixes windows up does so for certain: the first whole and the beginning of the
   * second in one piece, the rest a moment later. A window that stays alone goes as it is.
   */
  #probeWith(wire: Buffer): void {
    this.#probe.push(wire);
    if (this.#probe.length > 1) return;
    queueMicrotask(() => {
      const [first, second] = this.#probe;
      this.#probe = [];
      if (first === undefined) return;
      if (second === undefined) {
        this.#socket?.write(first);
        return;
      }
      this.#pair = true;
      // The wait that was begun is longer than a pair is waited for.
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#watch();
      const middle = Math.ceil(second.length / 2);
      this.#socket?.write(Buffer.concat([first, second.subarray(0, middle)]));
      this.#unfinished = 1;
      this.#after(PROBE_GAP, () => {
        this.#unfinished = 0;
        this.#socket?.write(second.subarray(middle));
      });
    });
  }

  #hungUp(): void {
    if (this.state === "connecting")
      this.#end(
        this.#context.network.tls === undefined
          ? "the server closed the connection before anything was sent"
          : `the server closed the connection before TLS was established; ${NOT_TLS}`,
        "peer",
      );
    else if (this.#inFlight.length > 0)
      this.#end(`the server closed the connection with ${this.#inFlight.length} windows unacknowledged`, "peer");
    else this.#finish({ kind: "idle", reason: "the server closed the idle connection" });
  }

  #receive(chunk: Buffer): void {
    const now = this.#context.clock.monotonic();
    this.#signOfLife = now;
    this.#answered = true;
    this.#inFlight.heard(this.#unfinished);
    try {
      for (const sequence of this.#reader.push(chunk)) this.#acknowledge(sequence, now);
    } catch (error) {
      this.#end(messageOf(error), error instanceof ProtocolError ? "peer" : "us");
    }
  }

  #acknowledge(sequence: number, now: number): void {
    // In version 1 a window is acknowledged at its end: with several in flight another window's size was counted.
    const inPart = this.version === 2 || this.#inFlight.length === 1;
    const landed = this.#inFlight.acknowledge(sequence, now, inPart);
    const parcel = this.#parcels[0];
    if (landed === undefined || parcel === undefined) return;
    const { flight, complete } = landed;
    this.#dialect.answered();
    if (complete) {
      this.#lastWait = now - flight.sentAt;
      this.#parcels.shift();
      this.events += parcel.batch.events;
      this.window.landed(parcel.batch.events, now);
      if (this.#pair && this.#inFlight.length === 0) {
        this.#pair = false;
        this.#depth.pairLanded();
      }
    }
    this.#context.events.acked(this, parcel, parcel.first + sequence, complete, now - flight.sentAt);
    if (this.#retiring && this.#inFlight.length === 0 && this.state === "ready") this.#retire();
  }

  #retire(): void {
    this.#finish({ kind: "lifetime", reason: "the connection's lifetime is over" });
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
    const pair = this.#pair ? Math.max(PAIR_PATIENCE, PAIR_FACTOR * this.#lastWait) : timeout;
    if (this.state === "connecting") return this.#signOfLife + timeout;
    const front = this.#inFlight.front;
    if (front === undefined) return Number.POSITIVE_INFINITY;
    return Math.min(
      Math.max(this.#signOfLife, front.frontSince) + Math.min(pair, timeout),
      front.frontSince + maximumWait,
    );
  }

  #judge(): void {
    const { clock, network } = this.#context;
    if (clock.monotonic() < this.#deadline()) {
      this.#watch();
      return;
    }
    const front = this.#inFlight.front;
    if (front === undefined) {
      this.#end(`no connection within ${network.timeout / 1000} s`, "us");
      return;
    }
    const waited = Math.round((clock.monotonic() - front.frontSince) / 1000);
    const sign = Math.round((clock.monotonic() - this.#signOfLife) / 1000);
    this.#end(
      `a window was not acknowledged within ${waited} s (last sign of life ${sign} s ago)`,
      this.#pair ? "peer" : "us",
    );
  }

  /** The connection failed: it is the `peer` that ended it or broke the protocol, or `us` who gave up. */
  #end(reason: string, by: "peer" | "us"): void {
    const front = this.#inFlight.front;
    const now = this.#context.clock.monotonic();
    const several = this.#inFlight.length > 1;
    if (several && this.#depth.trouble(now) && by === "peer") {
      this.#finish({ kind: "depth", reason: `takes one window at a time (${reason})` });
      return;
    }
    if (front !== undefined) this.window.lost(front.batch.events, now);
    const refused = front !== undefined && by === "peer" && !this.#answered;
    const turned = refused && this.#dialect.hungUp(now - front.sentAt);
    this.failures++;
    this.lastError = reason;
    if (refused && this.events === 0 && this.#context.network.tls === undefined)
      this.lastError += "; it may speak TLS, and we do not (see 'ssl enabled')";
    if (turned) this.lastError += `; version ${this.version} is tried`;
    this.#finish({ kind: "failure", reason: this.lastError });
  }

  #finish(ending: Ending): void {
    const lost = this.#drop();
    this.#context.events.ended(this, lost, ending);
  }

  #drop(): Parcel[] {
    const acked = this.#inFlight.abandon().map((flight) => flight.acked);
    const lost = this.#parcels.map((parcel, index) => ({ ...parcel, skip: acked[index] ?? 0 }));
    this.#parcels = [];
    this.#probe = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    const socket = this.#socket;
    this.#socket = undefined;
    this.state = "idle";
    socket?.on("error", () => undefined);
    socket?.destroy();
    return lost;
  }
}
