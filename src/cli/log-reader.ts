import { UserError } from "../base/errors.ts";
import type { AgentFiles, ListedFile } from "../client/files.ts";

/** What a file had become when it was set aside: a copy has its size and time for good. */
const markOf = (file: ListedFile | undefined): string | undefined => file && `${file.size}:${file.modified}`;

/** Bytes that are read at once, at most. */
const PART = 65_536;

/**
 * Reads `stdout` or `stderr` of a sandbox as it grows, and what was set aside meanwhile: a file that is too large becomes NAME.1, the
 * one before NAME.2, and so on, and NAME begins anew (by copying, or by renaming as C++ agents do).
 */
export class LogReader {
  readonly #files: AgentFiles;
  readonly #folder: string;
  readonly #name: string;
  #offset = 0;
  /** The newest of those that were set aside and are read (or are not to be); undefined: none of them is. */
  #read: string | undefined;
  /** NAME.1 as it was at the last look: while it grows it is still being copied. */
  #newest: string | undefined;
  #isFirst = true;
  #isBehind = false;
  /** NAME was shorter at the last look than what is read of it. */
  #isShrunk = false;

  constructor(files: AgentFiles, folder: string, name: string) {
    this.#files = files;
    this.#folder = folder;
    this.#name = name;
  }

  /** Whether something was set aside that is not read yet, although the last look has found nothing more. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Begins with the last so many lines of what there is. */
  async toTail(lines: number): Promise<void> {
    const size = (await this.#list()).find(({ name }) => name === this.#name)?.size ?? 0;
    this.#offset = lines === 0 ? size : 0;
    let found = 0;
    for (let end = lines === 0 ? 0 : size; end > 0; end = Math.max(0, end - PART)) {
      const begin = Math.max(0, end - PART);
      const part = await this.#files.read(this.#path(this.#name), begin, end - begin);
      for (let at = part.lastIndexOf(0x0a); at >= 0; at = at === 0 ? -1 : part.lastIndexOf(0x0a, at - 1)) {
        // The last newline of all ends a line and begins none.
        if (begin + at === size - 1 || ++found < lines) continue;
        this.#offset = begin + at + 1;
        return;
      }
    }
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  async #list(): Promise<readonly ListedFile[]> {
    const listed = await this.#files.list(this.#folder);
    if (listed !== undefined) return listed;
    throw new UserError(
      `the sandbox ${this.#folder} is not there`,
      "it is made when the task starts, and collected some time after its end (--gc_delay)",
    );
  }

  /** Everything that is new since the last look. */
  async *look(): AsyncGenerator<Buffer, void, void> {
    const listed = await this.#list();
    const aside = setAside(listed, this.#name);
    const newest = markOf(aside[0]);
    if (this.#isFirst) [this.#read, this.#isFirst] = [newest, false];
    const isComplete = newest === this.#newest;
    this.#newest = newest;
    // The oldest that is unread first; it is the one that was followed.
    const known = aside.findIndex((file) => markOf(file) === this.#read);
    let unread = known >= 0 ? known : aside.length;
    for (; unread > (isComplete ? 0 : 1); unread--) {
      const file = aside[unread - 1];
      if (file !== undefined) yield* this.#rest(file.name);
      [this.#read, this.#offset] = [markOf(file), 0];
    }
    this.#isBehind = unread > 0;
    if (this.#isBehind) return;
    const current = listed.find(({ name }) => name === this.#name);
    if (current !== undefined && current.size < this.#offset) {
      // A list is made file by file: this one may have begun before there was a copy of what is gone. The next one has it.
      this.#isBehind = !this.#isShrunk;
      this.#isShrunk = true;
      if (this.#isBehind) return;
      this.#offset = 0;
    }
    this.#isShrunk = false;
    if (current !== undefined) yield* this.#rest(this.#name);
  }

  async *#rest(name: string): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const part = await this.#files.read(this.#path(name), this.#offset, PART);
      if (part.length === 0) return;
      this.#offset += part.length;
      yield part;
    }
  }
}

/** NAME.1, NAME.2, … as far as there is no gap. */
function setAside(listed: readonly ListedFile[], name: string): ListedFile[] {
  const found: ListedFile[] = [];
  for (let index = 1; ; index++) {
    const file = listed.find((each) => each.name === `${name}.${index}`);
    if (file === undefined) return found;
    found.push(file);
  }
}
