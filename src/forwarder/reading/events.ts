import { TextDecoder } from "node:util";
import type { Clock } from "../../base/clock.ts";
import { compileExpression, type Expression } from "../model/expression.ts";
import { type JsonMember, memberOf, membersOf } from "../model/json-members.ts";
import type { FileGroup, MultilineSettings } from "../model/settings.ts";

/** An event made from one or more lines. */
export interface LineEvent {
  readonly text: Buffer;
  /** Position of its first byte in the source. */
  readonly start: number;
  /** Position after its last line. */
  readonly end: number;
  readonly extra: readonly JsonMember[] | undefined;
}

/** Lines of a group whose bytes may go on as they are. */
export const isPlain = (group: FileGroup): boolean =>
  group.encoding === "utf-8" &&
  group.multiline === undefined &&
  group.includeLines.length === 0 &&
  group.excludeLines.length === 0 &&
  !group.json;

const KEPT = new Set(["offset", "file"]);

/** The members of a line that is a JSON object, as they stand in it. */
function jsonMembers(text: Buffer): readonly JsonMember[] {
  const members = membersOf(text.toString("utf8"));
  if (members === undefined) return [memberOf("json_error", "not a JSON object")];
  return members.filter(({ key }) => key !== "" && !KEPT.has(key));
}

/**
 * The lines of one source on their way to events: decoded, joined, filtered, parsed. Joined lines are held until their
 * event is whole, so a position in the middle of an event is never recorded.
 */
export class LineEvents {
  readonly #group: FileGroup;
  readonly #decoder: TextDecoder | undefined;
  readonly #joiner: Joiner | undefined;
  readonly #include: Expression[];
  readonly #exclude: Expression[];

  constructor(group: FileGroup, clock: Clock) {
    this.#group = group;
    this.#decoder = group.encoding === "utf-8" ? undefined : new TextDecoder(group.encoding, { ignoreBOM: true });
    this.#joiner = group.multiline && new Joiner(group.multiline, group.maximumLine, clock);
    this.#include = group.includeLines.map(compileExpression);
    this.#exclude = group.excludeLines.map(compileExpression);
  }

  /** An event is being joined. */
  get pending(): boolean {
    return this.#joiner?.pending ?? false;
  }

  /** Bytes held. */
  get held(): number {
    return this.#joiner?.held ?? 0;
  }

  /** The events that are whole after the line `[start, end)` with content `raw` (without its line end). */
  line(raw: Buffer, start: number, end: number): LineEvent[] {
    const text = this.#decoder === undefined ? Buffer.from(raw) : Buffer.from(this.#decoder.decode(raw));
    const line = { text, start, end, extra: undefined };
    if (this.#joiner === undefined) return this.#finish([line]);
    return this.#finish(this.#joiner.line(line));
  }

  /** The event that was being joined, if it has waited long enough or `force` is set. */
  flush(force: boolean): LineEvent[] {
    return this.#finish(this.#joiner?.flush(force) ?? []);
  }

  #finish(events: LineEvent[]): LineEvent[] {
    return events.flatMap((event) => {
      if (!this.#wanted(event.text)) return [];
      return this.#group.json ? [{ ...event, extra: jsonMembers(event.text) }] : [event];
    });
  }

  #wanted(text: Buffer): boolean {
    if (this.#include.length === 0 && this.#exclude.length === 0) return true;
    const line = text.toString("utf8");
    if (this.#include.length > 0 && !this.#include.some((pattern) => pattern.test(line))) return false;
    return !this.#exclude.some((pattern) => pattern.test(line));
  }
}

/** Joins lines by a pattern, as Filebeat and the Logstash codec describe it. */
class Joiner {
  readonly #settings: MultilineSettings;
  readonly #pattern: Expression;
  readonly #maximumBytes: number;
  readonly #clock: Clock;
  #lines: LineEvent[] = [];
  #bytes = 0;
  /** Monotonic milliseconds when the last of its lines was read. */
  #since = 0;

  constructor(settings: MultilineSettings, maximumBytes: number, clock: Clock) {
    this.#settings = settings;
    this.#pattern = compileExpression(settings.pattern);
    this.#maximumBytes = maximumBytes;
    this.#clock = clock;
  }

  get pending(): boolean {
    return this.#lines.length > 0;
  }

  get held(): number {
    return this.#bytes;
  }

  line(line: LineEvent): LineEvent[] {
    const { negate, match, maximumLines } = this.#settings;
    const belongs = this.#pattern.test(line.text.toString("utf8")) !== negate;
    const full = this.#lines.length >= maximumLines || this.#bytes + line.text.length > this.#maximumBytes;
    const done: LineEvent[] = [];
    if (this.#lines.length > 0 && (full || (match === "after" && !belongs))) done.push(...this.#take());
    this.#lines.push(line);
    this.#since = this.#clock.monotonic();
    this.#bytes += line.text.length + 1;
    if (match === "before" && !belongs) done.push(...this.#take());
    return done;
  }

  flush(force: boolean): LineEvent[] {
    if (this.#lines.length === 0) return [];
    const due = this.#clock.monotonic() - this.#since >= this.#settings.maximumTime;
    return force || due ? this.#take() : [];
  }

  #take(): LineEvent[] {
    const lines = this.#lines.splice(0);
    this.#bytes = 0;
    const [first, last] = [lines[0], lines.at(-1)];
    if (first === undefined || last === undefined) return [];
    const parts = lines.flatMap(({ text }, index) => (index === 0 ? [text] : [Buffer.from("\n"), text]));
    return [{ text: Buffer.concat(parts), start: first.start, end: last.end, extra: undefined }];
  }
}
