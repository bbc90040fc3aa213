import { Backoff } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Batch } from "../model/batch.ts";
import type { NetworkSettings, Version } from "../model/settings.ts";
import { rewindow } from "./encoding/rewindow.ts";
import { type Ending, Link, type LinkEvents } from "./link.ts";
import type { Parcel } from "./parcel.ts";
import { complaintAbout } from "./tls-material.ts";

/** The same failure of the same server is not said again for so many milliseconds. */
const SILENCE = 60_000;

export interface PublisherOptions {
  readonly network: NetworkSettings;
  readonly bulkSize: number;
  readonly compressionLevel: number;
  /** The version that `auto` begins with. */
  readonly preferred: Version;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
  /** Events `[first, until)` of `batch` are taken by a receiver. */
  acked(batch: Batch, first: number, until: number, waited: number): void;
}

export interface ServerStatus {
  readonly server: string;
  readonly state: "idle" | "connecting" | "ready" | "waiting";
  readonly protocol: Version;
  readonly windowsInFlight: number;
  readonly windowSize: number;
  readonly events: number;
  readonly failures: number;
  readonly lastError: string | undefined;
}

/**
 * Ships batches: to one server, and to another when it fails, or to all of them with load balancing. Nothing is
 * forgotten before it is acknowledged; order is kept on each connection.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #links: Link[];
  readonly #backoffs = new Map<Link, Backoff>();
  readonly #waiting = new Map<Link, Timer>();
  readonly #queue: Parcel[] = [];
  /** The link in use when load is not balanced; undefined only without servers, when nothing is offered. */
  #active: Link | undefined;
  #reshaping = false;
  #closed = false;
  /** Links whose connection was reported: idle ones come and go without a word. */
  readonly #greeted = new Set<Link>();
  /** What was said of a server since it took something last, and when in monotonic milliseconds. */
  readonly #said = new Map<Link, Map<string, number>>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { network, bulkSize, clock, preferred } = options;
    const events: LinkEvents = {
      connected: (link) => this.#connected(link),
      ready: () => this.#pump(),
      acked: (link, parcel, until, complete, waited) => this.#acked(link, parcel, until, complete, waited),
      ended: (link, lost, ending) => this.#ended(link, lost, ending),
    };
    this.#links = network.servers.map(
      (server) => new Link(server, { network, bulkSize, clock, events, preferred, random: () => this.#random() }),
    );
    this.#active = this.#pick(this.#links);
  }

  /** Says once what is wrong with the certificate files, before a connection needs them. */
  check(): void {
    const { network, clock, log } = this.#options;
    const complaint = network.tls === undefined ? undefined : complaintAbout(network.tls);
    if (complaint === undefined) return;
    log.error(`nothing can be shipped: ${complaint}`);
    for (const link of this.#links) this.#said.set(link, new Map([[complaint, clock.monotonic()]]));
  }

  /** What new batches should be encoded for. */
  get version(): Version {
    return this.#active?.version ?? this.#options.preferred;
  }

  /** Events that a new batch should hold at most. */
  get bulk(): number {
    if (!this.#options.network.loadBalance) return this.#active?.room ?? this.#options.bulkSize;
    const ready = this.#links.filter(({ state }) => state === "ready");
    return Math.max(1, ...(ready.length > 0 ? ready : this.#links).map(({ room }) => room));
  }

  /** Batches that wait to be written: more are of no use before this is small. */
  get queued(): number {
    return this.#queue.length;
  }

  get windowsInFlight(): number {
    return this.#links.reduce((sum, link) => sum + link.windowsInFlight, 0);
  }

  /** Takes a batch with at least one event. */
  offer(batch: Batch): void {
    this.#queue.push({ batch, origin: batch, first: 0, skip: 0 });
    this.#pump();
  }

  /** Ends all connections; what is not acknowledged stays so. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    for (const link of this.#links) link.close();
  }

  /** Stops sending what is only queued: a stop waits for what is on the wire, the rest is read again. */
  stopSending(): void {
    this.#queue.length = 0;
  }

  status(): ServerStatus[] {
    return this.#links.map((link) => ({
      server: link.name,
      state: this.#waiting.has(link) ? "waiting" : link.state,
      protocol: link.version,
      windowsInFlight: link.windowsInFlight,
      windowSize: link.room,
      events: link.events,
      failures: link.failures,
      lastError: link.lastError,
    }));
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }

  #pick(from: readonly Link[]): Link | undefined {
    return from[Math.floor(this.#random() * from.length)];
  }

  #pump(): void {
    if (this.#closed || this.#reshaping) return;
    const links = this.#options.network.loadBalance ? this.#links : [this.#active];
    for (const link of links) if (link !== undefined && this.#queue.length > 0) this.#fill(link);
  }

  #fill(link: Link): void {
    if (link.state === "idle" && !this.#waiting.has(link)) {
      this.#options.log.verbose(1, `connecting to ${link.name}`);
      link.connect();
    }
    while (link.hasRoom && !this.#reshaping) {
      const parcel = this.#queue[0];
      if (parcel === undefined) return;
      const size = this.#sizeFor(link, parcel);
      if (size === undefined && !link.admits(parcel.batch.events)) return;
      this.#queue.shift();
      if (size === undefined) link.send(parcel);
      else void this.#reshape(parcel, size, link.version);
    }
  }

  /** The window size to cut a parcel to, undefined when it may go as it is. */
  #sizeFor(link: Link, { batch, skip }: Parcel): number | undefined {
    const events = batch.events - skip;
    // The old Ruby input divides by the fifth of a version 2 window: 2 to 4 events break it.
    const small = link.version === 2 && events > 1 && events < 5;
    const room = small ? 1 : link.version === 2 && link.room < 5 ? 1 : link.room;
    if (skip === 0 && batch.version === link.version && events <= room) return undefined;
    // Cut so that no piece of version 2 has 2 to 4 events: a rest of that size is cut again when its turn comes.
    return room;
  }

  async #reshape({ batch, origin, first, skip }: Parcel, size: number, version: Version): Promise<void> {
    this.#reshaping = true;
    const pieces = await rewindow(batch, skip, size, version, this.#options.compressionLevel);
    let next = first + skip;
    const parcels = pieces.map((piece) => {
      const parcel = { batch: piece, origin, first: next, skip: 0 };
      next += piece.events;
      return parcel;
    });
    this.#requeue(parcels);
    this.#reshaping = false;
    this.#pump();
  }

  /** Back to the front of the queue, everything in the order in which it was read. */
  #requeue(parcels: Parcel[]): void {
    this.#queue.push(...parcels);
    this.#queue.sort((a, b) => a.origin.sequence - b.origin.sequence || a.first - b.first);
  }

  #acked(link: Link, parcel: Parcel, until: number, complete: boolean, waited: number): void {
    if (complete) {
      this.#backoffs.get(link)?.reset();
      this.#said.delete(link);
    }
    this.#options.acked(parcel.origin, parcel.first, until, waited);
    this.#pump();
  }

  #connected(link: Link): void {
    const { log } = this.#options;
    if (this.#greeted.has(link)) log.verbose(1, `connected to ${link.name}`);
    else log.info(`connected to ${link.name}`);
    this.#greeted.add(link);
  }

  #ended(link: Link, lost: Parcel[], ending: Ending): void {
    const { network, log } = this.#options;
    this.#requeue(lost);
    if (this.#closed) return;
    if (ending.kind === "failure") {
      this.#failed(link, lost.length, ending.reason);
      return;
    }
    if (ending.kind === "depth") log.info(`${link.name} ${ending.reason}; ${lost.length} windows to send again`);
    else log.verbose(1, `${link.name}: ${ending.reason}`);
    if (ending.kind === "lifetime" && !network.loadBalance) this.#active = this.#another();
    this.#pump();
  }

  /** A server that is not resting after a failure, else any. */
  #another(): Link | undefined {
    return this.#pick(this.#links.filter((link) => !this.#waiting.has(link))) ?? this.#pick(this.#links);
  }

  /** A failure is an error when no server is left: then nothing is shipped. */
  #say(link: Link, reason: string, consequence: string): void {
    const { clock, log } = this.#options;
    const text = `${link.name}: ${reason}; ${consequence}`;
    const said = this.#said.get(link) ?? new Map<string, number>();
    const [before, now] = [said.get(reason), clock.monotonic()];
    if (before !== undefined && now - before < SILENCE) {
      log.verbose(1, text);
      return;
    }
    this.#said.set(link, said.set(reason, now));
    if (this.#links.every((one) => this.#waiting.has(one))) log.error(text);
    else log.warn(text);
  }

  #failed(link: Link, lost: number, reason: string): void {
    const { network, clock } = this.#options;
    this.#greeted.delete(link);
    const backoff = this.#backoffs.get(link) ?? new Backoff({ ...network.backoff, random: () => this.#random() });
    this.#backoffs.set(link, backoff);
    const wait = backoff.next();
    this.#waiting.set(
      link,
      clock.after(wait, () => {
        this.#waiting.delete(link);
        if (this.#active === undefined || this.#waiting.has(this.#active)) this.#active = link;
        this.#pump();
      }),
    );
    this.#say(link, reason, `${lost} windows to send again, next attempt in ${Math.round(wait)} ms`);
    // Another server at once if it is not resting itself, else whoever is rested first.
    if (!network.loadBalance) this.#active = this.#another();
    this.#pump();
  }
}
