import { Backoff } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { isUuid } from "../../mesos/ids.ts";
import type { CheckpointFiles } from "../model/files.ts";
import { AcknowledgedStream, type Carried } from "./stream.ts";
import { StreamFile, StreamFiles } from "./stream-files.ts";

/** Milliseconds; mesos-wire §3.19. */
const RETRY = { initial: 10_000, maximum: 600_000, jitter: "none" } as const;
/** Milliseconds that what was just sent is given before it is sent once more for its scheduler. */
const MOMENT = 1_000;

/** What the streams of one kind carry, and how it is kept. */
export interface StreamKind<Item> extends Carried<Item> {
  /** For the log: `status update TASK_RUNNING of task t of framework f`. */
  describe(item: Item): string;
  /** The records of a stream's file, without their length. */
  itemRecord(item: Item): Uint8Array;
  acknowledgementRecord(uuid: Uint8Array): Uint8Array;
  /** Whether a record must survive the machine, and not only this process; undefined: an acknowledgement. */
  isSynced(item: Item | undefined): boolean;
  /**
   * Sends a head to the master. Called only while not paused. False: it was not sent and is kept for the next resume() (or its
   * stream was dropped meanwhile).
   */
  send(item: Item): boolean;
}

interface Entry<Item> {
  readonly stream: AcknowledgedStream<Item>;
  /** Items whose first attempt to write them down is not over: they may not be sent yet. */
  readonly unwritten: Set<Item>;
  /** Acknowledgements being written: the next item waits for them, or a crash would send the one before it again. */
  acknowledging: number;
  readonly file: StreamFile;
  readonly backoff: Backoff;
  retry: Timer | undefined;
  /** Monotonic milliseconds of the last transmission of the head. */
  sentAt: number;
  /** Nobody waits for it any more: nothing is sent or written. */
  dropped: boolean;
}

export interface StreamsOptions<Item> {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: CheckpointFiles;
  readonly kind: StreamKind<Item>;
}

/** No uuid of 16 bytes; no such stream; acknowledged before; not what is in flight. */
export type Unexpected = "no-uuid" | "unknown" | "duplicate" | "not-in-flight";

export type Acknowledged<Item> =
  | { readonly kind: "acknowledged"; readonly item: Item; readonly closed: boolean }
  | { readonly kind: "ignored"; readonly why: Unexpected };

/** One record of a stream's file, as recovery reads it back. */
export interface StreamRecord<Item> {
  readonly item?: Item | undefined;
  readonly acknowledged?: Uint8Array | undefined;
}

/**
 * All streams of one kind, each with a key: written ahead, sent in order, retried until acknowledged, across restarts. Status
 * updates are carried by it, and the statuses of operations.
 */
export class AcknowledgedStreams<Item> {
  readonly #options: StreamsOptions<Item>;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #files: StreamFiles;
  #paused = true;
  #stopped = false;

  constructor(options: StreamsOptions<Item>) {
    this.#options = options;
    this.#files = new StreamFiles(options);
  }

  /** Why records cannot be written now, if so. */
  get writeTrouble(): string | undefined {
    return this.#files.trouble;
  }

  /** Items that wait for an acknowledgement, over all streams. */
  get pendingCount(): number {
    let count = 0;
    for (const { stream } of this.#entries.values()) count += stream.pending.length;
    return count;
  }

  #entry(key: string, path: string | undefined): Entry<Item> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const stream = new AcknowledgedStream(this.#options.kind);
      entry = {
        stream,
        unwritten: new Set(),
        acknowledging: 0,
        file: new StreamFile(this.#files, path, stream),
        backoff: new Backoff(RETRY),
        retry: undefined,
        sentAt: Number.NEGATIVE_INFINITY,
        dropped: false,
      };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /**
   * Queues an item and writes it down; `path`: the stream's file, undefined when it has none. `sent`: it is written or failed
   * to be once, and was sent if it is the head. `durable`: true once it is on the disk, false when that will never be (closed,
   * dropped). A write that fails is tried again for ever, but does not hold back the master: a full disk must not hide that a
   * task ended.
   */
  add(key: string, item: Item, path: string | undefined): { sent: Promise<void>; durable: Promise<boolean> } {
    const entry = this.#entry(key, path);
    if (!entry.stream.receive(item)) {
      const durable = entry.file.settled().then(() => !this.#isOver(entry));
      return { sent: durable.then(() => undefined), durable };
    }
    entry.unwritten.add(item);
    const { kind } = this.#options;
    const written = entry.file.add(kind.itemRecord(item), kind.isSynced(item));
    const sent = written.attempted.then(() => {
      entry.unwritten.delete(item);
      if (entry.stream.head === item) this.#send(entry);
    });
    return { sent, durable: sent.then(() => written.durable) };
  }

  #isOver(entry: Entry<Item>): boolean {
    return this.#stopped || entry.dropped;
  }

  #quiet(entry: Entry<Item>): void {
    entry.retry?.cancel();
    entry.retry = undefined;
  }

  #send(entry: Entry<Item>): void {
    this.#quiet(entry);
    const item = entry.stream.head;
    if (item === undefined || this.#paused || this.#isOver(entry)) return;
    if (entry.acknowledging > 0 || entry.unwritten.has(item)) return;
    entry.sentAt = this.#options.clock.monotonic();
    if (this.#options.kind.send(item)) this.#arm(entry, entry.backoff.next());
  }

  #arm(entry: Entry<Item>, milliseconds: number): void {
    const { clock, log, kind } = this.#options;
    this.#quiet(entry);
    entry.retry = clock.after(milliseconds, () => {
      const { head } = entry.stream;
      if (head === undefined) return;
      log.warn(`Resending ${kind.describe(head)}: not acknowledged yet`);
      this.#send(entry);
    });
  }

  /** An acknowledgement of what is in flight. Anything else is ignored, and says why. Resolves when it is written down. */
  async acknowledge(key: string, uuid: Uint8Array): Promise<Acknowledged<Item>> {
    const entry = this.#entries.get(key);
    if (!isUuid(uuid)) return { kind: "ignored", why: "no-uuid" };
    if (entry === undefined) return { kind: "ignored", why: "unknown" };
    const verdict = entry.stream.judge(uuid);
    if (verdict !== "head") return { kind: "ignored", why: verdict === "duplicate" ? "duplicate" : "not-in-flight" };
    this.#quiet(entry);
    const { kind } = this.#options;
    const item = entry.stream.acknowledge();
    entry.acknowledging++;
    await entry.file.add(kind.acknowledgementRecord(uuid), kind.isSynced(undefined)).attempted;
    entry.acknowledging--;
    entry.backoff.reset();
    if (entry.stream.closed) this.#entries.delete(key);
    else this.#send(entry);
    return { kind: "acknowledged", item, closed: entry.stream.closed };
  }

  /** The master is gone: nothing is sent until resume(). */
  pause(): void {
    this.#paused = true;
    for (const entry of this.#entries.values()) this.#quiet(entry);
  }

  /** Registered: sends every head. */
  resume(): void {
    this.#paused = false;
    for (const entry of [...this.#entries.values()]) {
      entry.backoff.reset();
      this.#send(entry);
    }
  }

  /**
   * Sends the heads of these streams again: who reads them may have failed over. One that went out a moment ago waits that
   * moment: its acknowledgement is probably on the way.
   */
  resend(chosen: (key: string) => boolean): void {
    const now = this.#options.clock.monotonic();
    for (const [key, entry] of this.#entries) {
      if (entry.stream.head === undefined || this.#paused || !chosen(key)) continue;
      entry.backoff.reset();
      const quiet = entry.sentAt + MOMENT - now;
      if (quiet > 0) this.#arm(entry, quiet);
      else this.#send(entry);
    }
  }

  /** Forgets these streams: nobody waits for them any more. */
  drop(chosen: (key: string) => boolean): void {
    for (const [key, entry] of this.#entries) {
      if (!chosen(key)) continue;
      entry.dropped = true;
      entry.file.drop();
      this.#quiet(entry);
      this.#entries.delete(key);
    }
  }

  /** What is in flight, if anything. */
  head(key: string): Item | undefined {
    return this.#entries.get(key)?.stream.head;
  }

  /** Replays what was written before a restart. A closed stream is not kept. */
  recover(key: string, path: string, records: readonly StreamRecord<Item>[]): { readonly closed: boolean } {
    const { stream } = this.#entry(key, path);
    const { kind } = this.#options;
    for (const { item, acknowledged } of records) {
      if (item !== undefined && isUuid(kind.uuidOf(item))) stream.receive(item);
      if (acknowledged !== undefined && stream.judge(acknowledged) === "head") stream.acknowledge();
    }
    if (stream.closed) this.#entries.delete(key);
    return { closed: stream.closed };
  }

  /** Stops retrying and resolves when everything queued was written, or has failed to be. */
  async close(): Promise<void> {
    this.pause();
    this.#stopped = true;
    await this.#files.close();
  }
}
