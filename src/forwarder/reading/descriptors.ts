import type { Clock, Timer } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { holdsContent } from "../model/content.ts";
import { enter } from "../model/lifecycle.ts";
import { OpenFile } from "../model/open-file.ts";
import { isSettled, isUnread, type Source } from "../model/source.ts";

/** Files that wait for a descriptor are spoken of after this many milliseconds, and not again for `SILENCE`. */
const REPORT_DELAY = 1000;
const SILENCE = 60_000;

export interface DescriptorsOptions {
  /** Descriptors that may be open at once. */
  readonly limit: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** There is a descriptor for a file that waited for one. */
  readonly admit: (source: Source) => void;
}

export type Opening =
  | { readonly kind: "held" }
  /** No descriptor is free: `admit` is called when one is. */
  | { readonly kind: "full" }
  /** The path does not lead to this file any more. */
  | { readonly kind: "gone" }
  /** It is this file, with other content: its descriptor, for whoever reads that. */
  | { readonly kind: "replaced"; readonly file: OpenFile }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * The open descriptors of followed files, and who may have one. When all are in use, files that are quiet and wholly
 * acknowledged give theirs up first, then those that are read to their end; one with unread lines keeps it.
 */
export class Descriptors {
  readonly #options: DescriptorsOptions;
  /** Sources with a descriptor, the one that was quiet longest first. */
  readonly #held = new Set<Source>();
  readonly #waiting = new Set<Source>();
  #limit: number;
  /** Descriptors that are given back and not free yet: those of deleted files take a moment. */
  #leaving = 0;
  /** Nobody could give a descriptor up when it was tried last, and nothing has changed since. */
  #exhausted = false;
  #said: Timer | undefined;
  /** Files with unread lines that could not be held when they were found. */
  refused = 0;

  constructor(options: DescriptorsOptions) {
    this.#options = options;
    this.#limit = options.limit;
  }

  get open(): number {
    return this.#held.size;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Files with unread lines that have no descriptor. */
  get waiting(): number {
    return this.#waiting.size;
  }

  held(): Iterable<Source> {
    return this.#held;
  }

  /** Opens the file of `source` where it lies, if there is a descriptor for it. */
  hold(source: Source): Opening {
    const { path, identity } = source;
    if (source.file !== undefined) return { kind: "held" };
    if (path === undefined) return { kind: "gone" };
    if (!this.#hasRoom(source)) return this.#wait(source);
    let file: OpenFile | undefined;
    try {
      file = OpenFile.at(path, identity);
      if (file === undefined) return this.#unfound(source);
      if (!source.compressed && !(file.facts().size >= source.read && holdsContent(file.fd, source)))
        return { kind: "replaced", file };
    } catch (error) {
      file?.close();
      return this.#failed(source, error);
    }
    this.#add(source, file);
    return { kind: "held" };
  }

  /** `source` gets a descriptor that is open already. False: there was no room, it is closed and `source` waits. */
  give(source: Source, file: OpenFile): boolean {
    if (!this.#hasRoom(source)) {
      file.close();
      this.#wait(source);
      return false;
    }
    this.#add(source, file);
    return true;
  }

  /** Takes the descriptor of `source` away, open: whoever asked has to close it or give it on. */
  take(source: Source): OpenFile | undefined {
    const { file } = source;
    source.file = undefined;
    this.#held.delete(source);
    this.#waiting.delete(source);
    this.retry();
    return file;
  }

  /** Closes the file of `source`. */
  release(source: Source): void {
    this.#leaving++;
    const left = (): void => {
      this.#leaving--;
      this.retry();
    };
    const file = this.take(source);
    if (file === undefined) left();
    else file.close(left);
  }

  /** Closes the file of `source`, which is opened again when there is something to read. */
  close(source: Source): void {
    source.file?.close();
    source.file = undefined;
    this.#held.delete(source);
    enter(source, "found");
    this.retry();
  }

  /** `source` has something new: it is the last that gives its descriptor up. */
  touched(source: Source): void {
    if (!this.#held.delete(source)) return;
    this.#held.add(source);
  }

  /** Called now and then: what could not be had a while ago may be free again. */
  tick(): void {
    this.#limit = Math.min(this.#options.limit, this.#limit + 1);
    this.retry();
  }

  /** Something was read to its end, acknowledged or closed: a file that waits may have its turn. */
  retry(): void {
    this.#exhausted = false;
    for (const source of this.#waiting) {
      if (!this.#hasRoom(source)) return;
      this.#waiting.delete(source);
      this.#options.admit(source);
    }
  }

  /** Descriptors that are free. */
  get spare(): number {
    return Math.max(0, this.#limit - this.#held.size - this.#leaving);
  }

  /** Nobody is given a descriptor any more; those that are open stay so. */
  stop(): void {
    this.#said?.cancel();
    this.#waiting.clear();
  }

  closeAll(): void {
    this.stop();
    for (const { file } of this.#held) file?.close();
    for (const source of this.#held) source.file = undefined;
    this.#held.clear();
  }

  #add(source: Source, file: OpenFile): void {
    source.file = file;
    source.grown = this.#options.clock.monotonic();
    this.#waiting.delete(source);
    this.#held.add(source);
    enter(source, "held");
  }

  #hasRoom(source: Source): boolean {
    if (this.spare > 0) return true;
    if (this.#exhausted || !isUnread(source)) return false;
    const given = this.#candidate();
    if (given === undefined) {
      this.#exhausted = true;
      return false;
    }
    given.file?.close();
    given.file = undefined;
    this.#held.delete(given);
    enter(given, "found");
    return true;
  }

  /** Whose descriptor is missed least. A file without a name cannot be opened again. */
  #candidate(): Source | undefined {
    let read: Source | undefined;
    for (const source of this.#held) {
      const { stage, path, file, compressed } = source;
      if (path === undefined || (stage !== "held" && stage !== "at-end")) continue;
      if (!compressed && file !== undefined && sizeOf(file) > Math.max(source.read, source.blankTo)) continue;
      if (isSettled(source)) return source;
      if (!isUnread(source)) read ??= source;
    }
    return read;
  }

  #wait(source: Source): Opening {
    if (!isUnread(source) || this.#waiting.has(source)) return { kind: "full" };
    this.#waiting.add(source);
    this.refused++;
    this.#said ??= this.#options.clock.after(REPORT_DELAY, () => this.#complain());
    return { kind: "full" };
  }

  #complain(): void {
    const [first] = this.#waiting;
    this.#said = this.#options.clock.after(SILENCE, () => this.#complain());
    if (first === undefined) {
      this.#said.cancel();
      this.#said = undefined;
      return;
    }
    this.#options.log.error(
      `${this.#waiting.size} files with unread lines wait for a descriptor, '${first.name}' first; deleted now, they would be lost: ` +
        `raise the limit of open files (ulimit -n) or 'maximum open files', ${this.#limit} are held`,
    );
  }

  #unfound(source: Source): Opening {
    this.#waiting.delete(source);
    return { kind: "gone" };
  }

  #failed(source: Source, error: unknown): Opening {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return this.#unfound(source);
    if (code !== "EMFILE" && code !== "ENFILE") return { kind: "failed", reason: messageOf(error) };
    // Somebody else uses what was thought to be ours: make do with what there is.
    this.#limit = Math.max(1, this.#held.size);
    this.#exhausted = true;
    return this.#wait(source);
  }
}

/** What its filesystem says now; more than anything when that does not answer. */
function sizeOf(file: OpenFile): number {
  try {
    return file.facts().size;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
