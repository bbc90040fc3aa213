import { type Clock, every, sleep, type Timer } from "../base/clock.ts";
import { writeAtomic } from "../base/durable.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { Collector } from "./batching/collector.ts";
import { Lanes } from "./lanes.ts";
import { compressing, FrameEncoder, jsonLines } from "./lumberjack/encoding/encoder.ts";
import { Publisher } from "./lumberjack/publisher.ts";
import type { Batch } from "./model/batch.ts";
import type { Settings } from "./model/settings.ts";
import { BEGINNING, isSettled, type Source } from "./model/source.ts";
import { Lag } from "./monitoring/lag.ts";
import { fileStatus, type Status } from "./monitoring/status.ts";
import { Descriptors } from "./reading/descriptors.ts";
import { Follower } from "./reading/follower.ts";
import { ownBudget } from "./reading/limits.ts";
import { type Entry, EVERY } from "./registrar/format.ts";
import { ownFiles } from "./registrar/own-files.ts";
import { loadRegistry, Registrar } from "./registrar/registrar.ts";
import { inheritedSource, restoredSource } from "./registrar/restore.ts";
import type { StandardInput } from "./standard-input.ts";

export interface PipelineOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly host: string;
  readonly version: string;
  /** Ship what there is, then `done`. */
  readonly once: boolean;
  /** Print events instead of shipping them; positions are neither read nor written. */
  readonly tap: ((lines: Buffer) => void) | undefined;
  readonly stdin: StandardInput;
  /** What the pipeline before this one followed, with its open files: taken over instead of the registry. */
  readonly inherited?: readonly Source[] | undefined;
}

/** The pipeline that goes on after this one, in the same process. */
export interface Next {
  readonly readsStdin: boolean;
}

const STATUS_INTERVAL = 5000;
/** Quiet and deleted files, and lines that wait for their end, are looked at this often, in milliseconds. */
const TICK = 1000;
/** A file that cannot be put on record (disk full) is tried again after this many milliseconds. */
const RECORD_RETRY = 250;
/**
 * What part of the window may be acknowledged and not on record before that is due at once. A quarter was written twice as
 * often, and those writes were what the window waited for; the other half is on its way meanwhile.
 */
const UNRECORDED = 1 / 2;
/** Batches that may wait for a connection besides those on the wire. */
const MOST_QUEUED = 2;
/** Batches that are compressed, put on record or wait to be written, at most: each is a round trip that a new file's lines wait for. */
const MOST_AHEAD = 5;

/** Files → readings → bulks → windows → acknowledgements → registry: the rooms joined, and nothing else. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #log: Logger;
  readonly #descriptors: Descriptors;
  readonly #follower: Follower;
  readonly #collector: Collector;
  readonly #publisher: Publisher;
  readonly #registrar: Registrar;
  readonly #lanes: Lanes;
  readonly #started: number;
  readonly #timers: Timer[] = [];
  readonly #lag = new Lag();
  #stdin: Source | undefined;
  #stopping: Promise<void> | undefined;
  #next: Next | undefined;
  /** When a stop gives up waiting, in monotonic milliseconds. */
  #stopBy = Number.POSITIVE_INFINITY;
  #scanned = false;
  #events = 0;
  #windows = 0;
  #latency = { last: 0, maximum: 0 };
  #finish: () => void = () => undefined;
  /** Resolves when everything is shipped: with `once`, or when standard input was the only source and has ended. */
  readonly done: Promise<void> = new Promise((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: PipelineOptions) {
    const { settings, clock, log } = options;
    this.#options = options;
    this.#log = log;
    this.#started = clock.now();
    const isOwn = ownFiles([settings.registry.path, settings.monitoring.statusFile]);
    this.#publisher = new Publisher({
      network: settings.network,
      bulkSize: settings.shipping.bulkSize,
      compressionLevel: settings.shipping.compressionLevel,
      preferred: this.#preferredVersion(),
      clock,
      log: log.named("publisher"),
      acked: (batch, first, until, waited) => this.#acked(batch, first, until, waited),
    });
    this.#registrar = new Registrar({
      settings: settings.registry,
      durable: options.tap === undefined,
      clock,
      log: log.named("registrar"),
      urgent: settings.shipping.windowSize * UNRECORDED,
      sources: () => this.#lanes.sources(),
      saved: () => this.#collector.retry(),
    });
    this.#collector = new Collector({
      clock,
      encoder: new FrameEncoder({
        clock,
        finisher: options.tap === undefined ? compressing(settings.shipping.compressionLevel) : jsonLines,
        version: () => (options.tap === undefined ? this.#publisher.version : 2),
        constantsOf: (source) => this.#constantsOf(source),
      }),
      flushTime: settings.shipping.flushTime,
      room: (sealing, bulks) => this.#room(sealing, bulks),
      sealed: (batch) => this.#sealed(batch),
    });
    this.#descriptors = new Descriptors({
      limit: ownBudget(settings.reading.maximumOpenFiles),
      clock,
      log: log.named("descriptors"),
      admit: (source) => this.#lanes.admit(source),
    });
    this.#follower = new Follower({
      groups: settings.files,
      reading: settings.reading,
      clock,
      log: log.named("follower"),
      sink: this.#collector,
      descriptors: this.#descriptors,
      finishing: options.once,
      stdin: () => options.stdin.view(),
      replaced: (source) => this.#lanes.replaced(source),
      gone: (source) => this.#lanes.gone(source),
      idle: () => this.#rested(),
    });
    this.#lanes = new Lanes({
      settings,
      descriptors: this.#descriptors,
      clock,
      log: log.named("prospector"),
      isOwn,
      changed: (source) => {
        this.#lag.observe([source], clock.now());
        this.#follower.changed(source);
      },
      abandoned: (source) => this.#follower.abandoned(source),
      recorded: () => this.#registrar.changed(),
    });
  }

  /** Reads the registry, whose lock somebody holds for it, and begins. Rejects with a UserError when it cannot. */
  async start(): Promise<void> {
    const { settings, clock, tap } = this.#options;
    if (tap === undefined) {
      const { inherited } = this.#options;
      this.#lanes.restore(
        inherited?.flatMap((source) => this.#inherit(source)) ??
          loadRegistry(settings.registry, this.#log, clock.now()).flatMap((entry) => this.#restored(entry)),
      );
    }
    if (tap === undefined) this.#publisher.check();
    if (settings.monitoring.statusFile !== undefined)
      this.#timers.push(every(clock, STATUS_INTERVAL, () => void this.#writeStatus()));
    await this.#lanes.start(!this.#options.once);
    this.#openStdin();
    this.#scanned = true;
    this.#timers.push(every(clock, TICK, () => this.#tick()));
    if (this.#follower.resting) this.#rested();
  }

  /**
   * Stops: what lies in the files now is read and shipped, for at most `patience` milliseconds from now (a later call may
   * shorten it); the rest is read again next time. With `next` only what is on the wire is waited for: the next pipeline
   * goes on with what is `followed`. Standard input cannot be read again by another process, so everything collected of
   * it is shipped first, unless the next pipeline reads it.
   */
  stop(patience = this.#options.settings.shipping.drainTime, next?: Next): Promise<void> {
    if (this.#stopping === undefined) this.#next = next;
    this.#stopBy = Math.min(this.#stopBy, this.#options.clock.monotonic() + patience);
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Everything that is followed, with the files that are open: for the next pipeline, once this one has stopped for it. */
  get followed(): readonly Source[] {
    return [...this.#lanes.sources()];
  }

  status(): Status {
    const { clock, version, settings } = this.#options;
    const now = clock.now();
    // What no entry covers any more is on record, and nobody's lag.
    const files = [...this.#lanes.sources()]
      .filter(({ path, file, group }) => group >= 0 && (path !== undefined || file !== undefined))
      .map((source) => fileStatus(source, this.#lag, now));
    return {
      version,
      started: new Date(this.#started).toISOString(),
      uptimeSeconds: (now - this.#started) / 1000,
      shipped: { events: this.#events, bytesRead: this.#follower.bytes, windows: this.#windows },
      outstandingEvents: this.#registrar.outstanding + this.#collector.events,
      memoryBytes: this.#registrar.bytes + this.#follower.held,
      openFiles: this.#descriptors.open,
      unheldFiles: { now: this.#descriptors.waiting, total: this.#descriptors.refused },
      lostFiles: this.#lanes.lostUnread,
      missedFiles: this.#lanes.missed,
      registry: { path: settings.registry.path, failure: this.#registrar.failure },
      ackSeconds: { last: this.#latency.last / 1000, maximum: this.#latency.maximum / 1000 },
      servers: this.#publisher.status(),
      lag: {
        bytes: files.reduce((sum, { lagBytes }) => sum + lagBytes, 0),
        seconds: files.reduce((most, { lagSeconds }) => Math.max(most, lagSeconds), 0),
      },
      files,
    };
  }

  async #stop(): Promise<void> {
    const { settings } = this.#options;
    for (const timer of this.#timers) timer.cancel();
    // Before a reload finding goes on: what is deleted meanwhile is open, and handed over.
    if (this.#next === undefined) {
      this.#lanes.stop();
      await this.#drain();
    }
    this.#follower.stop();
    const all = this.#next === undefined || (this.#stdin !== undefined && !this.#next.readsStdin);
    if (all) void this.#collector.flush();
    else {
      this.#collector.stop();
      this.#publisher.stopSending();
    }
    const pending = () =>
      all ? this.#registrar.unacknowledged + this.#collector.events : this.#publisher.windowsInFlight;
    await this.#while(() => pending() > 0);
    this.#lanes.stop();
    const left = pending();
    if (left > 0) this.#log.warn(`stopping with ${left} unacknowledged: they are sent again at the next start`);
    this.#collector.stop();
    this.#publisher.close();
    await this.#registrar.save();
    await this.#closeFiles();
    if (settings.monitoring.statusFile !== undefined) await this.#writeStatus();
  }

  /** Reads what lies in the files at this moment. */
  async #drain(): Promise<void> {
    let scanned = false;
    void this.#lanes.scan().then(() => {
      scanned = true;
    });
    await this.#while(() => !scanned);
    this.#follower.drain();
    await this.#while(() => !this.#follower.resting);
  }

  /** Waits while `condition` holds, until a stop gives up waiting. */
  async #while(condition: () => boolean): Promise<void> {
    const { clock } = this.#options;
    while (condition() && clock.monotonic() < this.#stopBy) await sleep(clock, 10);
  }

  async #closeFiles(): Promise<void> {
    this.#descriptors.stop();
    await this.#lanes.close();
    if (this.#next !== undefined) return;
    const lost = [...this.#descriptors.held()].filter((source) => source.path === undefined && !isSettled(source));
    if (lost.length > 0)
      this.#log.error(
        `stopping with ${lost.length} deleted files whose lines are not acknowledged, '${lost[0]?.name}' first: they are lost with this process`,
      );
    this.#descriptors.closeAll();
  }

  #preferredVersion(): 1 | 2 {
    const { network, files } = this.#options.settings;
    if (network.version !== "auto") return network.version;
    return files.some(({ json }) => json) ? 2 : 1;
  }

  #constantsOf(source: Source) {
    const fields = this.#options.settings.files[source.group]?.fields ?? {};
    return { file: source.name, host: this.#options.host, fields };
  }

  /** Events that may be collected now: the window less what is outstanding, and none while memory is full. */
  #room(sealing: number, bulks: number): number {
    const { shipping } = this.#options.settings;
    const { queued } = this.#publisher;
    // What waits for the registry's fsync will wait for the receiver next.
    if (queued >= MOST_QUEUED || queued + bulks >= MOST_AHEAD || this.#registrar.failure !== undefined) return 0;
    if (this.#registrar.bytes + this.#follower.held > shipping.memory) return 0;
    const free = shipping.windowSize - this.#registrar.outstanding - sealing;
    const bulk = Math.min(
      this.#options.tap === undefined ? this.#publisher.bulk : shipping.bulkSize,
      shipping.windowSize,
    );
    return free >= Math.max(1, bulk / 2) ? Math.min(bulk, free) : 0;
  }

  async #sealed(batch: Batch): Promise<void> {
    this.#registrar.expect(batch);
    // A file is on record before anything of it is sent: renamed or compressed while we are down, it is found again.
    const sources = batch.runs.map(({ source }) => source);
    for (;;) {
      await this.#registrar.record(sources);
      if (this.#registrar.failure === undefined || sources.every((source) => this.#registrar.records(source))) break;
      if (this.#stopping !== undefined) return;
      await sleep(this.#options.clock, RECORD_RETRY);
    }
    if (batch.events === 0) this.#checkDone();
    else if (this.#options.tap === undefined) this.#publisher.offer(batch);
    else {
      this.#options.tap(batch.wire);
      this.#acked(batch, 0, batch.events, 0);
    }
  }

  #acked(batch: Batch, first: number, until: number, _waited: number): void {
    this.#registrar.acknowledge(batch, first, until);
    for (const { source } of batch.runs) this.#lag.settle(source);
    if (this.#stdin !== undefined) this.#options.stdin.release(this.#stdin.acked);
    if (until === batch.events) {
      this.#windows++;
      this.#events += batch.events;
      const last = this.#options.clock.monotonic() - batch.readAt;
      this.#latency = { last, maximum: Math.max(this.#latency.maximum, last) };
    }
    this.#collector.retry();
    if (this.#descriptors.waiting > 0) this.#descriptors.retry();
    this.#checkDone();
  }

  /** Every file has been read to its end. */
  #rested(): void {
    if (this.#scanned && this.#ending() && this.#descriptors.waiting === 0)
      void this.#collector.flush().then(() => this.#checkDone());
  }

  /** Nothing more is to come. */
  #ending(): boolean {
    const only = this.#options.settings.files.every(({ paths }) => paths.every((path) => path === "-"));
    if (this.#stdin !== undefined && !this.#follower.finished(this.#stdin)) return false;
    return this.#options.once || only;
  }

  #checkDone(): void {
    if (!this.#scanned || !this.#ending() || !this.#follower.resting || this.#descriptors.waiting > 0) return;
    if (this.#registrar.unacknowledged === 0 && this.#collector.events === 0) this.#finish();
  }

  #tick(): void {
    this.#descriptors.tick();
    this.#lanes.tick();
    this.#follower.tick();
  }

  #openStdin(): void {
    const group = this.#options.settings.files.findIndex(({ paths }) => paths.includes("-"));
    if (group === -1) return;
    const nobody = { device: "0", inode: "0", born: "0" };
    const fingerprint = { length: 0, hash: "" };
    const { position } = this.#options.stdin;
    const begin = { ...BEGINNING, read: position, acked: position };
    this.#stdin = { ...begin, name: "-", path: "-", last: "-", identity: nobody, fingerprint, group };
    this.#follower.changed(this.#stdin);
  }

  /** What the registry says of a file, for each entry that it is followed for. */
  #restored(entry: Entry): Source[] {
    const all = this.#lanes.belongings(entry.source, entry.path);
    const which = entry.entry === EVERY ? all : all.slice(entry.entry ?? 0, (entry.entry ?? 0) + 1);
    return which.map(({ group, entry: order }) => restoredSource(entry, group, order));
  }

  #inherit(source: Source): Source[] {
    const belonging = this.#lanes.belongings(source.name, source.path)[source.entry];
    if (belonging === undefined || belonging.group < 0) {
      // Nobody would read it, and a deleted one would keep its room on the disk.
      source.file?.close();
      source.file = undefined;
    }
    return belonging === undefined ? [] : [inheritedSource(source, belonging.group)];
  }

  async #writeStatus(): Promise<void> {
    const path = this.#options.settings.monitoring.statusFile;
    if (path === undefined) return;
    try {
      await writeAtomic(path, `${JSON.stringify(this.status(), null, 2)}\n`, { sync: false });
    } catch (error) {
      this.#log.warn(`cannot write the status file: ${messageOf(error)}`);
    }
  }
}
