import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { enter } from "../model/lifecycle.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import { type EventSink, Stopped } from "../model/sink.ts";
import type { Source } from "../model/source.ts";
import type { Descriptors } from "./descriptors.ts";
import {
  type Harvester,
  hasMoved,
  isAllOf,
  isAsleep,
  isLineDue,
  isResting,
  linesOf,
  newHarvester,
  restOf,
} from "./harvester.ts";
import { PlainFile } from "./plain-file.ts";
import type { Reader, Reading } from "./reader.ts";
import { readArchive, StreamReader } from "./stream.ts";

export interface FollowerOptions {
  readonly groups: readonly FileGroup[];
  readonly reading: Pick<ReadingSettings, "bufferSize">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sink: EventSink;
  readonly descriptors: Descriptors;
  /** Lines without an end are shipped as they are: nothing more is waited for. */
  readonly finishing: boolean;
  readonly stdin: () => NodeJS.ReadableStream;
  /** The file of the source holds other content. */
  readonly replaced: (source: Source) => void;
  /** The source was deleted, read to its end, and everything of it is acknowledged. */
  readonly gone: (source: Source) => void;
  /** Everything that can be read now has been read. */
  readonly idle: () => void;
}

/**
 * Readers of plain files that are kept, half a kilobyte each: those of the files that were read last. Another is made anew,
 * for a handful of system calls, when its file has something to read.
 */
const MOST_READERS = 512;
/** Files that rest are asked this often whether they were quiet long enough to be closed, in milliseconds. */
const ALL = 10_000;

/**
 * Reads open files in turn, one buffer for all, as fast as the sink takes their lines. While the sink takes nothing, one
 * reading stands still and with it all others; finding and opening files is not its business and goes on.
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #harvesters = new Map<Source, Harvester>();
  /** Those that have not come to rest since they were woken: nothing but time changes what is to be done with the others. */
  readonly #restless = new Set<Harvester>();
  /** When all were gone through last, in monotonic milliseconds, and how long that is enough. */
  #sawAll = Number.NEGATIVE_INFINITY;
  readonly #between: number;
  /** Those whose lines are joined or filtered. */
  readonly #joining = new Set<Harvester>();
  readonly #ready: Harvester[] = [];
  /** Those that have the reader of a plain file, the one that was read longest ago first. */
  readonly #readers = new Set<Harvester>();
  readonly #buffer: Buffer;
  #running = false;
  #stopped = false;
  #draining = false;
  bytes = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#buffer = Buffer.allocUnsafeSlow(options.reading.bufferSize);
    this.#between = Math.min(ALL, ...options.groups.map(({ closeInactive }) => closeInactive));
  }

  /** Plain files that have a reader. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Nothing waits to be read and nothing is being read. */
  get resting(): boolean {
    return !this.#running && this.#ready.length === 0;
  }

  /** `source` has ended and is read to its end. */
  finished(source: Source): boolean {
    return this.#harvesters.get(source)?.finished ?? false;
  }

  /** Bytes held for events that are being joined. */
  get held(): number {
    let bytes = 0;
    for (const { events } of this.#joining) bytes += events?.held ?? 0;
    return bytes;
  }

  /** `source` may have something to read. */
  changed(source: Source): void {
    const group = this.#options.groups[source.group];
    if (group === undefined || this.#stopped) return;
    let harvester = this.#harvesters.get(source);
    if (harvester === undefined) {
      const created = newHarvester(source, group, this.#options.clock);
      harvester = created;
      this.#harvesters.set(source, created);
      if (created.events !== undefined) this.#joining.add(created);
      if (this.#draining) this.#attempt(created, () => this.#limit(created));
    }
    if (hasMoved(harvester)) harvester.finished = false;
    this.#restless.add(harvester);
    this.#wake(harvester);
  }

  /** No copy of the content of `source` was found: what was being joined goes out as it is. */
  abandoned(source: Source): void {
    const harvester = this.#harvesters.get(source);
    if (harvester === undefined) return;
    harvester.abandoned = true;
    this.#wake(harvester);
  }

  /** Called now and then: for lines and events that waited long enough, and for files that have been quiet. */
  tick(): void {
    const { clock, descriptors, gone } = this.#options;
    const now = clock.monotonic();
    const isAll = now - this.#sawAll >= this.#between;
    if (isAll) this.#sawAll = now;
    for (const harvester of isAll ? this.#harvesters.values() : this.#restless) {
      const rest = this.#attempt(harvester, () => restOf(harvester, now));
      if (rest === "stay" && isAsleep(harvester)) this.#restless.delete(harvester);
      if (rest === "read") this.#wake(harvester);
      else if (rest === "close") {
        this.#closeReader(harvester);
        descriptors.close(harvester.source);
      } else if (rest === "gone") {
        this.#drop(harvester);
        gone(harvester.source);
      }
    }
  }

  /** Files are read to where they end now, and no further; events that are being joined are whole then. */
  drain(): void {
    this.#draining = true;
    for (const harvester of this.#harvesters.values()) {
      this.#attempt(harvester, () => this.#limit(harvester));
      this.#wake(harvester);
    }
  }

  /** A file whose filesystem does not answer is said, and keeps no other from its turn. */
  #attempt<Result>(harvester: Harvester, action: () => Result): Result | undefined {
    try {
      return action();
    } catch (error) {
      this.#failed(harvester, messageOf(error));
      return undefined;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#ready.length = 0;
    if (!this.#running) this.#closeReaders();
  }

  #limit(harvester: Harvester): void {
    const { source } = harvester;
    if (source.file !== undefined && !source.compressed) harvester.until = source.file.facts().size;
  }

  #wake(harvester: Harvester): void {
    if (this.#stopped || harvester.ready || harvester.finished) return;
    harvester.ready = true;
    this.#restless.add(harvester);
    const { source } = harvester;
    if (source.stage === "held" || source.stage === "at-end") enter(source, "reading");
    this.#ready.push(harvester);
    if (!this.#running) {
      this.#running = true;
      queueMicrotask(() => void this.#run());
    }
  }

  async #run(): Promise<void> {
    // An index instead of shift(), which would move the whole queue for every file of a folder.
    for (let at = 0; at < this.#ready.length; at++) {
      const next = this.#ready[at] as Harvester;
      if (at >= 1024) at -= this.#ready.splice(0, at).length;
      next.ready = false;
      try {
        await this.#turn(next);
      } catch (error) {
        if (error instanceof Stopped) break;
        this.#failed(next, messageOf(error));
      }
      if (this.#stopped) break;
    }
    this.#ready.length = 0;
    this.#running = false;
    if (this.#stopped) this.#closeReaders();
    else this.#options.idle();
  }

  async #turn(harvester: Harvester): Promise<void> {
    if (harvester.abandoned) return await this.#abandon(harvester);
    const reader = this.#reader(harvester);
    if (reader === undefined) return;
    const { source } = harvester;
    const finish = this.#options.finishing || isLineDue(harvester, this.#options.clock.monotonic());
    const reading = await reader.next(finish);
    if (reading.kind === "lines" || reading.kind === "piece") harvester.failure = undefined;
    switch (reading.kind) {
      case "lines":
      case "piece":
      case "hole":
        await this.#take(harvester, reader, reading);
        if (source.read >= harvester.until) await this.#rest(harvester, 0, true);
        else if (isAllOf(reading, source)) await this.#rest(harvester, 0, finish || this.#draining);
        else this.#wake(harvester);
        return;
      case "again":
      case "moved":
        this.#wake(harvester);
        return;
      case "end":
        await this.#rest(harvester, reading.rest, finish || this.#draining);
        return;
      case "finished":
        await this.#finish(harvester);
        return;
      case "replaced":
        await this.#emit(harvester, true);
        if (hasMoved(harvester)) return this.#wake(harvester);
        this.#drop(harvester);
        this.#options.replaced(source);
        return;
      case "failed":
        this.#failed(harvester, reading.reason);
    }
  }

  async #take(harvester: Harvester, reader: Reader, reading: Extract<Reading, { bytes: Buffer }>): Promise<void> {
    const { sink } = this.#options;
    const { source, events } = harvester;
    if (reading.kind === "hole") {
      reader.took(reading.until, reading.bytes, reading.base);
      await sink.passed(source, reading.until, source.readTail);
      return;
    }
    const { bytes, base } = reading;
    let end = reading.kind === "lines" ? base + reading.last + 1 : base + bytes.length;
    // What there is no room for is read again when the others have had their turn: a receiver may be slow, and a file large.
    if (events !== undefined) end = await this.#split(harvester, bytes.subarray(0, end - base), base);
    else if (reading.kind === "lines") end = base + (await sink.lines(source, bytes, base, reading.last));
    else await sink.event(source, { text: bytes, start: base, end, extra: undefined });
    reader.took(end, bytes, base);
    this.bytes += end - base;
    if (events !== undefined && !events.pending) await sink.passed(source, end, source.readTail);
  }

  /** The position up to which lines were taken. */
  async #split({ source, group, events }: Harvester, bytes: Buffer, base: number): Promise<number> {
    const { sink } = this.#options;
    for (const { line, start, end } of linesOf(bytes, base, group)) {
      const whole = events?.line(line, start, end) ?? [];
      for (const event of whole) await sink.event(source, event);
      if (whole.length > 0 && sink.isFull) return end;
    }
    return base + bytes.length;
  }

  async #emit({ source, events }: Harvester, force: boolean): Promise<void> {
    for (const event of events?.flush(force) ?? []) await this.#options.sink.event(source, event);
  }

  /** Read as far as it goes for now. */
  async #rest(harvester: Harvester, rest: number, force: boolean): Promise<void> {
    const { source } = harvester;
    harvester.rest = rest;
    await this.#emit(harvester, force);
    if (hasMoved(harvester)) return this.#wake(harvester);
    if (source.stage === "reading" && !harvester.ready) enter(source, "at-end");
    // Most files of many are read once, when they are found.
    if (!harvester.again && this.#readers.has(harvester) && isResting(harvester)) this.#forgetReader(harvester);
    harvester.again = true;
    this.#options.descriptors.retry();
  }

  /** A stream has ended, and is read. */
  async #finish(harvester: Harvester): Promise<void> {
    const { source } = harvester;
    await this.#emit(harvester, true);
    this.#closeReader(harvester);
    if (hasMoved(harvester) && source.file !== undefined && !source.compressed) return this.#wake(harvester);
    harvester.finished = true;
    source.ended = true;
    if (source.stage === "reading") enter(source, "at-end");
    this.#options.descriptors.retry();
  }

  async #abandon(harvester: Harvester): Promise<void> {
    await this.#emit(harvester, true);
    this.#drop(harvester);
  }

  #reader(harvester: Harvester): Reader | undefined {
    const { source, group } = harvester;
    if (hasMoved(harvester)) this.#closeReader(harvester);
    if (harvester.reader !== undefined) {
      if (this.#readers.delete(harvester)) this.#readers.add(harvester);
      return harvester.reader;
    }
    const { file } = source;
    const options = { buffer: this.#buffer, encoding: group.encoding, maximumLine: group.maximumLine };
    let reader: Reader | "replaced" | undefined;
    if (source.path === "-") reader = this.#standardInput(harvester, options);
    else if (file !== undefined)
      reader = source.compressed ? readArchive(source, file, options) : PlainFile.of(source, file, options);
    if (reader === undefined) return undefined;
    if (reader === "replaced") {
      this.#drop(harvester);
      this.#options.replaced(source);
      return undefined;
    }
    harvester.reader = reader;
    harvester.file = file;
    if (reader instanceof PlainFile) this.#keepReader(harvester);
    return reader;
  }

  #keepReader(harvester: Harvester): void {
    this.#readers.add(harvester);
    if (this.#readers.size <= MOST_READERS) return;
    for (const other of this.#readers) if (isResting(other)) return this.#forgetReader(other);
  }

  /** What is read of its file next, another reader reads. */
  #forgetReader(harvester: Harvester): void {
    this.#readers.delete(harvester);
    harvester.reader?.close();
    harvester.reader = undefined;
  }

  #standardInput(harvester: Harvester, options: Pick<FileGroup, "encoding" | "maximumLine">): StreamReader {
    const stream = this.#options.stdin() as NodeJS.ReadStream;
    return new StreamReader(harvester.source, stream, 0, { ...options, wake: () => this.#wake(harvester) });
  }

  #failed(harvester: Harvester, reason: string): void {
    const { source } = harvester;
    if (harvester.failure !== reason) this.#options.log.error(`cannot read '${source.name}': ${reason}`);
    harvester.failure = reason;
    this.#closeReader(harvester);
    // A broken archive is tried again when it changes.
    if (source.compressed) source.ended = true;
    if (source.stage === "reading") enter(source, "at-end");
  }

  #closeReader(harvester: Harvester): void {
    this.#readers.delete(harvester);
    harvester.reader?.close();
    harvester.reader = undefined;
    harvester.file = undefined;
  }

  #closeReaders(): void {
    for (const harvester of this.#harvesters.values()) this.#closeReader(harvester);
  }

  #drop(harvester: Harvester): void {
    this.#closeReader(harvester);
    this.#harvesters.delete(harvester.source);
    this.#restless.delete(harvester);
    this.#joining.delete(harvester);
  }
}
