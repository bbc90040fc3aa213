import { type Clock, every, sleep, type Timer } from "../base/clock.ts";
import { writeAtomic } from "../base/durable.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { Collector } from "./batching/collector.ts";
import { Prospector } from "./discovery/prospector.ts";
import { joined, Watcher } from "./discovery/watcher.ts";
import { compressing, FrameEncoder, jsonLines } from "./lumberjack/encoding/encoder.ts";
import { Publisher } from "./lumberjack/publisher.ts";
import type { Batch } from "./model/batch.ts";
import type { Settings } from "./model/settings.ts";
import type { Source } from "./model/source.ts";
import { fileStatus, type Status } from "./monitoring/status.ts";
import { Follower } from "./reading/follower.ts";
import type { Entry } from "./registrar/format.ts";
import { loadRegistry, Registrar } from "./registrar/registrar.ts";
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
}

/** Changes of names are looked at this many milliseconds after the first: rotation makes several. */
const SETTLE = 50;
/** A file that is written all the time is read again at this pace, in milliseconds, so that a read is worth its cost. */
const PACE = 15;
const STATUS_INTERVAL = 5000;
/** A file that cannot be put on record (disk full) is tried again after this many milliseconds. */
const RECORD_RETRY = 250;
/** Batches that may wait for a connection besides those on the wire. */
const MOST_QUEUED = 2;

/** Files → readings → bulks → windows → acknowledgements → registry: the rooms joined, and nothing else. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #log: Logger;
  readonly #prospector: Prospector;
  readonly #follower: Follower;
  readonly #collector: Collector;
  readonly #publisher: Publisher;
  readonly #registrar: Registrar;
  readonly #watcher: Watcher;
  readonly #started: number;
  readonly #timers: Timer[] = [];
  readonly #due = new Set<Source>();
  #rescan: Timer | undefined;
  #pace: Timer | undefined;
  #stdin: Source | undefined;
  #stopping: Promise<void> | undefined;
  /** Another pipeline goes on with standard input. */
  #handsOver = false;
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
      urgent: settings.shipping.windowSize / 4,
      sources: () => this.#prospector.sources(),
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
      room: (sealing) => this.#room(sealing),
      sealed: (batch) => this.#sealed(batch),
    });
    this.#follower = new Follower({
      groups: settings.files,
      reading: settings.reading,
      clock,
      log: log.named("follower"),
      sink: this.#collector,
      finishing: options.once,
      stdin: () => options.stdin.view(),
      replaced: (source, identity) => void this.#prospector.replaced(source, identity),
      gone: (source) => this.#prospector.gone(source),
      idle: () => this.#rested(),
    });
    this.#prospector = new Prospector({
      groups: settings.files,
      reading: settings.reading,
      forgetAfter: settings.registry.forgetAfter,
      clock,
      log: log.named("prospector"),
      changed: (source) => this.#follower.changed(source),
      detached: (source) => this.#follower.detached(source),
      recorded: () => this.#registrar.changed(),
    });
    this.#watcher = new Watcher(log, (folder, name, structure) => this.#noticed(folder, name, structure));
  }

  /** Reads the registry, whose lock somebody holds for it, and begins. Rejects with a UserError when it cannot. */
  async start(): Promise<void> {
    const { settings, clock, tap } = this.#options;
    if (tap === undefined) {
      this.#prospector.restore(
        loadRegistry(settings.registry, this.#log, clock.now()).map((entry) => this.#restored(entry)),
      );
    }
    if (tap === undefined) this.#publisher.check();
    if (settings.monitoring.statusFile !== undefined)
      this.#timers.push(every(clock, STATUS_INTERVAL, () => void this.#writeStatus()));
    await this.#scan();
    this.#openStdin();
    this.#scanned = true;
    this.#timers.push(every(clock, settings.reading.scanInterval, () => void this.#scan()));
    this.#timers.push(every(clock, 1000, () => this.#follower.tick()));
    if (this.#follower.resting) this.#rested();
  }

  /**
   * Stops: what is on the wire is waited for (at most `patience` milliseconds from now; a later call may shorten it),
   * what is not is read again next time. Standard input cannot be read again by another process, so everything collected
   * is shipped first, unless another pipeline of this one goes on with it (`handsOver`).
   */
  stop(patience = this.#options.settings.shipping.drainTime, handsOver = false): Promise<void> {
    this.#handsOver ||= handsOver;
    this.#stopBy = Math.min(this.#stopBy, this.#options.clock.monotonic() + patience);
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  status(): Status {
    const { clock, version, settings } = this.#options;
    const now = clock.now();
    return {
      version,
      started: new Date(this.#started).toISOString(),
      uptimeSeconds: (now - this.#started) / 1000,
      shipped: { events: this.#events, bytesRead: this.#follower.bytes, windows: this.#windows },
      outstandingEvents: this.#registrar.outstanding + this.#collector.events,
      memoryBytes: this.#registrar.bytes + this.#follower.held,
      openFiles: this.#follower.openFiles,
      registry: { path: settings.registry.path, failure: this.#registrar.failure },
      ackSeconds: { last: this.#latency.last / 1000, maximum: this.#latency.maximum / 1000 },
      servers: this.#publisher.status(),
      files: [...this.#prospector.sources()]
        .filter(({ path }) => path !== undefined)
        .map((source) => fileStatus(source, now)),
    };
  }

  async #stop(): Promise<void> {
    const { clock, settings } = this.#options;
    for (const timer of this.#timers) timer.cancel();
    this.#rescan?.cancel();
    this.#pace?.cancel();
    this.#watcher.close();
    this.#follower.stop();
    const isLast = this.#stdin !== undefined && !this.#handsOver;
    if (isLast) void this.#collector.flush();
    else {
      this.#collector.stop();
      this.#publisher.stopSending();
    }
    const pending = () =>
      isLast ? this.#registrar.unacknowledged + this.#collector.events : this.#publisher.windowsInFlight;
    while (pending() > 0 && clock.monotonic() < this.#stopBy) await sleep(clock, 10);
    const left = pending();
    if (left > 0) this.#log.warn(`stopping with ${left} unacknowledged: they are sent again at the next start`);
    this.#collector.stop();
    this.#publisher.close();
    await this.#registrar.save();
    if (settings.monitoring.statusFile !== undefined) await this.#writeStatus();
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
  #room(sealing: number): number {
    const { shipping } = this.#options.settings;
    if (this.#publisher.queued >= MOST_QUEUED || this.#registrar.failure !== undefined) return 0;
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
    // A file is on record before anything of it is sent: renamed while we are down, it is found again.
    while (batch.runs.some(({ source }) => !this.#registrar.records(source))) {
      await this.#registrar.save();
      if (this.#registrar.failure === undefined) break;
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
    if (this.#stdin !== undefined) this.#options.stdin.release(this.#stdin.acked);
    if (until === batch.events) {
      this.#windows++;
      this.#events += batch.events;
      const last = this.#options.clock.monotonic() - batch.readAt;
      this.#latency = { last, maximum: Math.max(this.#latency.maximum, last) };
    }
    this.#collector.retry();
    this.#checkDone();
  }

  /** Every file has been read to its end. */
  #rested(): void {
    if (this.#scanned && this.#ending()) void this.#collector.flush().then(() => this.#checkDone());
  }

  /** Nothing more is to come. */
  #ending(): boolean {
    const only = this.#options.settings.files.every(({ paths }) => paths.every((path) => path === "-"));
    if (this.#stdin !== undefined && !this.#follower.finished(this.#stdin)) return false;
    return this.#options.once || only;
  }

  #checkDone(): void {
    if (!this.#scanned || !this.#ending() || !this.#follower.resting) return;
    if (this.#registrar.unacknowledged === 0 && this.#collector.events === 0) this.#finish();
  }

  async #scan(): Promise<void> {
    this.#rescan?.cancel();
    this.#rescan = undefined;
    try {
      await this.#prospector.scan(!this.#scanned);
    } catch (error) {
      this.#log.error(`looking for files: ${messageOf(error)}`);
    }
    if (this.#stopping === undefined && !this.#options.once) this.#watcher.follow(this.#prospector.folders);
  }

  #noticed(folder: string, name: string | undefined, structure: boolean): void {
    const { clock } = this.#options;
    const source = name === undefined ? undefined : this.#prospector.source(joined(folder, name));
    if (source === undefined || structure) this.#rescan ??= clock.after(SETTLE, () => void this.#scan());
    if (source === undefined) return;
    this.#due.add(source);
    this.#pace ??= clock.after(PACE, () => {
      this.#pace = undefined;
      for (const one of this.#due) this.#follower.changed(one);
      this.#due.clear();
    });
  }

  #openStdin(): void {
    const group = this.#options.settings.files.findIndex(({ paths }) => paths.includes("-"));
    if (group === -1) return;
    const nobody = { device: "0", inode: "0", born: "0" };
    const fingerprint = { length: 0, hash: "" };
    this.#stdin = {
      name: "-",
      path: "-",
      last: "-",
      identity: nobody,
      fingerprint,
      group,
      compressed: false,
      hole: false,
      ...BEGINNING,
      read: this.#options.stdin.position,
      acked: this.#options.stdin.position,
    };
    this.#follower.changed(this.#stdin);
  }

  #restored(entry: Entry): Source {
    const { device, inode, born, fingerprint, offset, tail, touched, path, last, source } = entry;
    return {
      ...BEGINNING,
      name: source,
      path,
      last,
      identity: { device, inode, born },
      fingerprint,
      group: Math.max(this.#prospector.groupOf(source), path === undefined ? -1 : this.#prospector.groupOf(path)),
      compressed: (path ?? source).endsWith(".gz"),
      hole: false,
      read: offset,
      readTail: tail,
      acked: offset,
      ackedTail: tail,
      touched,
      size: offset,
    };
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

const BEGINNING = {
  read: 0,
  readTail: undefined,
  acked: 0,
  ackedTail: undefined,
  touched: 0,
  size: 0,
  modified: 0,
} as const;
