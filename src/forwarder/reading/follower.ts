import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import { type EventSink, Stopped } from "../model/sink.ts";
import type { Identity, Source } from "../model/source.ts";
import { isPlain, LineEvents } from "./events.ts";
import { PlainFile } from "./plain-file.ts";
import type { LineEnd, Reader, Reading } from "./reader.ts";
import { readArchive, StreamReader } from "./stream.ts";

export interface FollowerOptions {
  readonly groups: readonly FileGroup[];
  readonly reading: ReadingSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sink: EventSink;
  /** Lines without an end are shipped as they are: nothing more is waited for. */
  readonly finishing: boolean;
  readonly stdin: () => NodeJS.ReadableStream;
  /** Other content lies where the source was, in the file `identity`. */
  readonly replaced: (source: Source, identity: Identity) => void;
  /** The source was deleted, and has been read to its end. */
  readonly gone: (source: Source) => void;
  /** Everything that can be read now has been read. */
  readonly idle: () => void;
}

interface Harvester {
  readonly source: Source;
  readonly group: FileGroup;
  readonly events: LineEvents | undefined;
  readonly lineEnd: LineEnd;
  reader: Reader | undefined;
  /** Whose file the reader has open. */
  identity: Identity;
  /** In the queue, or to be read again when its turn ends. */
  ready: boolean;
  detached: boolean;
  finished: boolean;
  /** Monotonic milliseconds of the last byte read. */
  active: number;
  failure: string | undefined;
}

const lineEndOf = ({ encoding }: FileGroup): LineEnd =>
  encoding === "utf-16le" || encoding === "utf-16be" ? encoding : "byte";

/** The source goes on in another file than the one that the reader has open: a copy or an archive of it. */
const moved = ({ identity, source }: Harvester): boolean => identity !== source.identity;

/** Reads sources in turn, one buffer each, as fast as the sink takes them. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #harvesters = new Map<Source, Harvester>();
  readonly #ready: Harvester[] = [];
  readonly #buffer: Buffer;
  #running = false;
  #stopped = false;
  #open = 0;
  bytes = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#buffer = Buffer.allocUnsafeSlow(options.reading.bufferSize);
  }

  get openFiles(): number {
    return this.#open;
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
    for (const { events } of this.#harvesters.values()) bytes += events?.held ?? 0;
    return bytes;
  }

  /** `source` may have something to read. */
  changed(source: Source): void {
    const group = this.#options.groups[source.group];
    if (group === undefined || this.#stopped) return;
    let harvester = this.#harvesters.get(source);
    if (harvester === undefined) {
      harvester = {
        source,
        group,
        events: isPlain(group) ? undefined : new LineEvents(group, this.#options.clock),
        lineEnd: lineEndOf(group),
        reader: undefined,
        identity: source.identity,
        ready: false,
        detached: false,
        finished: false,
        active: this.#options.clock.monotonic(),
        failure: undefined,
      };
      this.#harvesters.set(source, harvester);
    }
    if (moved(harvester)) harvester.finished = false;
    this.#wake(harvester);
  }

  /** The path of `source` no longer leads to it: read it to its end. */
  detached(source: Source): void {
    const harvester = this.#harvesters.get(source);
    if (harvester === undefined) return;
    harvester.detached = true;
    if (harvester.reader !== undefined) this.#wake(harvester);
    else if (source.path === undefined) this.#harvesters.delete(source);
  }

  /** Called now and then: sends joined lines that waited, and closes files that have been quiet. */
  tick(): void {
    const now = this.#options.clock.monotonic();
    for (const harvester of this.#harvesters.values()) {
      if (harvester.events?.pending) this.#wake(harvester);
      const quiet = now - harvester.active >= harvester.group.closeInactive;
      if (!quiet || harvester.ready || harvester.reader === undefined || this.#running) continue;
      if (harvester.detached) this.#wake(harvester);
      else if (!harvester.events?.pending && harvester.source.name !== "-") this.#close(harvester);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#ready.length = 0;
    if (!this.#running) for (const harvester of this.#harvesters.values()) this.#close(harvester);
  }

  #wake(harvester: Harvester): void {
    if (this.#stopped || harvester.ready || harvester.finished) return;
    harvester.ready = true;
    this.#ready.push(harvester);
    if (!this.#running) {
      this.#running = true;
      queueMicrotask(() => void this.#run());
    }
  }

  async #run(): Promise<void> {
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
      next.ready = false;
      try {
        await this.#turn(next);
      } catch (error) {
        if (error instanceof Stopped) break;
        this.#failed(next, messageOf(error));
      }
      if (this.#stopped) break;
    }
    this.#running = false;
    if (this.#stopped) for (const harvester of this.#harvesters.values()) this.#close(harvester);
    else this.#options.idle();
  }

  async #turn(harvester: Harvester): Promise<void> {
    const reader = this.#reader(harvester);
    if (reader === undefined) return;
    const { source, events } = harvester;
    const deleted = harvester.detached && reader instanceof PlainFile && reader.links === 0;
    const quiet = this.#options.clock.monotonic() - harvester.active >= harvester.group.closeInactive;
    const finish = this.#options.finishing || deleted || (harvester.detached && quiet);
    const reading = await reader.next(finish);
    if (reading.kind === "lines" || reading.kind === "piece") harvester.failure = undefined;
    switch (reading.kind) {
      case "lines":
      case "piece":
      case "hole":
        await this.#take(harvester, reader, reading);
        this.#wake(harvester);
        return;
      case "moved":
        this.#wake(harvester);
        return;
      case "end":
        if (events !== undefined) await this.#emit(harvester, finish);
        if (moved(harvester)) this.#wake(harvester);
        else if (deleted) {
          this.#drop(harvester);
          this.#options.gone(source);
        } else if (harvester.detached && quiet) this.#close(harvester);
        return;
      case "finished":
        await this.#emit(harvester, true);
        this.#close(harvester);
        harvester.finished = !moved(harvester);
        this.#wake(harvester);
        return;
      case "replaced":
        await this.#emit(harvester, true);
        if (moved(harvester)) return this.#wake(harvester);
        this.#drop(harvester);
        this.#options.replaced(source, harvester.identity);
        return;
      case "failed":
        this.#failed(harvester, reading.reason);
    }
  }

  async #take(harvester: Harvester, reader: Reader, reading: Extract<Reading, { bytes: Buffer }>): Promise<void> {
    const { sink, clock } = this.#options;
    const { source, events } = harvester;
    harvester.active = clock.monotonic();
    if (reading.kind === "hole") {
      reader.took(reading.until, reading.bytes, reading.base);
      return;
    }
    const { bytes, base } = reading;
    const end = reading.kind === "lines" ? base + reading.last + 1 : base + bytes.length;
    if (end === base) return;
    if (reading.kind === "lines" && events === undefined) await sink.lines(source, bytes, base, reading.last);
    else if (events === undefined) await sink.event(source, { text: bytes, start: base, end, extra: undefined });
    else await this.#split(harvester, events, bytes.subarray(0, end - base), base);
    reader.took(end, bytes, base);
    this.bytes += end - base;
    if (events !== undefined && !events.pending) await sink.passed(source, end, source.readTail);
  }

  async #split(harvester: Harvester, events: LineEvents, bytes: Buffer, base: number): Promise<void> {
    const { lineEnd, source } = harvester;
    const width = lineEnd === "byte" ? 1 : 2;
    for (let from = 0; from < bytes.length; ) {
      let next = nextLineEnd(bytes, from, base, lineEnd);
      const terminated = next !== -1;
      if (!terminated) next = bytes.length;
      const text = terminated ? next - width : next;
      const line = withoutReturn(bytes.subarray(from, text), lineEnd);
      for (const event of events.line(line, base + from, base + next)) await this.#options.sink.event(source, event);
      from = next;
    }
  }

  async #emit({ source, events }: Harvester, force: boolean): Promise<void> {
    if (events === undefined) return;
    for (const event of events.flush(force)) await this.#options.sink.event(source, event);
  }

  #reader(harvester: Harvester): Reader | undefined {
    const { source } = harvester;
    if (moved(harvester)) this.#close(harvester);
    if (harvester.reader !== undefined) return harvester.reader;
    if (source.path === undefined) return undefined;
    this.#makeRoom(harvester);
    const options = {
      buffer: this.#buffer,
      lineEnd: harvester.lineEnd,
      maximumLine: harvester.group.maximumLine,
    };
    const reader =
      source.path === "-"
        ? this.#standardInput(harvester, options)
        : source.compressed
          ? readArchive(source, source.path, options)
          : PlainFile.open(source, source.path, options);
    if (reader === "replaced") {
      this.#drop(harvester);
      this.#options.replaced(source, source.identity);
      return undefined;
    }
    if (reader === "gone") return undefined;
    harvester.reader = reader;
    harvester.identity = source.identity;
    this.#open++;
    return reader;
  }

  #standardInput(harvester: Harvester, options: { lineEnd: LineEnd; maximumLine: number }): StreamReader {
    const stream = this.#options.stdin() as NodeJS.ReadStream;
    return new StreamReader(harvester.source, stream, 0, { ...options, wake: () => this.#wake(harvester) });
  }

  /** Closes the file that was quiet longest when too many are open. */
  #makeRoom(except: Harvester): void {
    if (this.#open < this.#options.reading.maximumOpenFiles) return;
    let oldest: Harvester | undefined;
    for (const harvester of this.#harvesters.values()) {
      if (harvester === except || harvester.reader === undefined || harvester.source.path === "-") continue;
      if (oldest === undefined || harvester.active < oldest.active) oldest = harvester;
    }
    if (oldest !== undefined) this.#close(oldest);
  }

  #failed(harvester: Harvester, reason: string): void {
    if (harvester.failure !== reason) this.#options.log.warn(`cannot read '${harvester.source.name}': ${reason}`);
    harvester.failure = reason;
    this.#close(harvester);
  }

  #close(harvester: Harvester): void {
    if (harvester.reader === undefined) return;
    harvester.reader.close();
    harvester.reader = undefined;
    this.#open--;
  }

  #drop(harvester: Harvester): void {
    this.#close(harvester);
    this.#harvesters.delete(harvester.source);
  }
}

/** Index after the next line end from `from` on, -1 when there is none. */
function nextLineEnd(bytes: Buffer, from: number, base: number, lineEnd: LineEnd): number {
  if (lineEnd === "byte") {
    const index = bytes.indexOf(0x0a, from);
    return index === -1 ? -1 : index + 1;
  }
  const pair = lineEnd === "utf-16le" ? [0x0a, 0x00] : [0x00, 0x0a];
  for (let index = from + ((base + from) % 2); index + 1 < bytes.length; index += 2)
    if (bytes[index] === pair[0] && bytes[index + 1] === pair[1]) return index + 2;
  return -1;
}

function withoutReturn(line: Buffer, lineEnd: LineEnd): Buffer {
  if (lineEnd === "byte") return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  const [high, low] = lineEnd === "utf-16le" ? [line.at(-1), line.at(-2)] : [line.at(-2), line.at(-1)];
  return line.length >= 2 && high === 0x00 && low === 0x0d ? line.subarray(0, -2) : line;
}
