/** Writers that rotate as programs and logrotate do, each line with a number of its own. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** A reproducible source of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What has arrived at the receiver. */
interface Arrived {
  readonly lines: number;
  has(number: number): boolean;
}

interface Writer {
  /** Lines written so far: numbers 0 to this. */
  readonly written: number;
  /** Writes some lines, and sometimes rotates. */
  step(arrived: Arrived): void;
  /** Ends what is half written. */
  finish(): void;
}

export interface RotationCase {
  readonly name: string;
  /** Globs, below the folder. */
  readonly paths: readonly string[];
  readonly writer: (folder: string, random: () => number) => Writer;
}

/** Text of line `number`: of random length, some with bytes that are trouble. Begins with the number. */
function textOf(number: number, random: () => number): Buffer {
  const head = `${number} `;
  const kind = random();
  if (kind < 0.02) return Buffer.concat([Buffer.from(head), Buffer.from([0, 0xff, 0xc3, 0x28, 0])]);
  return Buffer.from(head + "x".repeat(Math.floor(random() * (kind < 0.05 ? 3000 : 120))));
}

abstract class BaseWriter implements Writer {
  written = 0;
  protected readonly folder: string;
  protected readonly random: () => number;
  protected rotations = 0;
  /** Number of the first line of the present file. */
  protected first = 0;
  readonly #end: string;
  #half: Buffer | undefined;
  #halfPath = "";
  /** Steps in which the present file stays as it is. */
  #silent = 0;

  constructor(folder: string, random: () => number, end = "\n") {
    this.folder = folder;
    this.random = random;
    this.#end = end;
  }

  protected path(name: string): string {
    return join(this.folder, name);
  }

  protected get whole(): boolean {
    return this.#half === undefined;
  }

  /** Appends up to eight lines; a line may be left half written until the next time. */
  protected append(path: string): void {
    const parts: Buffer[] = [];
    if (this.#half !== undefined) {
      if (path !== this.#halfPath) throw new Error("a half line is elsewhere");
      parts.push(this.#half);
      this.#half = undefined;
    }
    for (let lines = Math.floor(this.random() * 8); lines >= 0; lines--)
      parts.push(textOf(this.written++, this.random), Buffer.from(this.#end));
    let bytes = Buffer.concat(parts);
    if (this.random() < 0.15) {
      const at = bytes.length - 1 - Math.floor(this.random() * Math.min(20, bytes.length - 1));
      this.#half = bytes.subarray(at);
      this.#halfPath = path;
      bytes = bytes.subarray(0, at);
    }
    appendFileSync(path, bytes);
  }

  protected complete(): void {
    if (this.#half === undefined) return;
    appendFileSync(this.#halfPath, this.#half);
    this.#half = undefined;
  }

  protected abstract rotate(arrived: Arrived): void;
  protected current(): string {
    return this.path("app.log");
  }

  /** Rotates a file even if nothing of it was ever seen: only what the glob covers afterwards can be found then. */
  protected readonly mayRotate: boolean = false;

  step(arrived: Arrived): void {
    if (this.random() < 0.08 && (this.mayRotate || arrived.has(this.first))) {
      this.complete();
      const before = this.written;
      this.rotate(arrived);
      this.first = before;
    }
    // Some programs open their log long before they write: it is found while it is empty.
    if (!existsSync(this.current()) && this.random() < 0.5) this.#silent = Math.floor(this.random() * 20);
    if (this.#silent-- > 0) closeSync(openSync(this.current(), "a"));
    else this.append(this.current());
  }

  finish(): void {
    this.complete();
  }
}

class Appending extends BaseWriter {
  protected rotate(): void {}
}

class Renaming extends BaseWriter {
  /** logrotate's chain: app.log.1 is always the newest. */
  protected rotate(): void {
    for (let number = this.rotations; number >= 1; number--)
      if (existsSync(this.path(`app.log.${number}`)))
        renameSync(this.path(`app.log.${number}`), this.path(`app.log.${number + 1}`));
    if (existsSync(this.path("app.log"))) renameSync(this.path("app.log"), this.path("app.log.1"));
    this.rotations++;
  }
}

class CopyTruncating extends BaseWriter {
  protected rotate(): void {
    if (!existsSync(this.path("app.log"))) return;
    copyFileSync(this.path("app.log"), this.path(`app.log.${String(this.rotations++).padStart(4, "0")}`));
    truncateSync(this.path("app.log"));
  }
}

class Truncating extends BaseWriter {
  /** Only what has arrived may be destroyed: nobody can ship the rest. */
  protected rotate({ lines }: Arrived): void {
    if (lines === this.written && existsSync(this.path("app.log"))) truncateSync(this.path("app.log"));
  }
}

class Deleting extends BaseWriter {
  /** Deleted and made again at once: the filesystem likes to give the same inode. */
  protected rotate({ lines }: Arrived): void {
    if (lines === this.written && existsSync(this.path("app.log"))) unlinkSync(this.path("app.log"));
  }
}

class Replacing extends BaseWriter {
  protected rotate({ lines }: Arrived): void {
    if (lines !== this.written || !existsSync(this.path("app.log"))) return;
    const next = this.path(".next");
    appendFileSync(next, `${this.written++} first of a new file\n`);
    renameSync(next, this.path("app.log"));
  }
}

class Retargeting extends BaseWriter {
  #target = 0;
  protected override current(): string {
    const link = this.path("link.log");
    if (!existsSync(link)) this.rotate();
    return link;
  }
  protected rotate(): void {
    mkdirSync(this.path("targets"), { recursive: true });
    const target = this.path(`targets/t${this.#target++}`);
    closeSync(openSync(target, "a"));
    const temporary = this.path(".link");
    rmSync(temporary, { force: true });
    symlinkSync(target, temporary);
    renameSync(temporary, this.path("link.log"));
  }
}

class LateFolders extends BaseWriter {
  protected override readonly mayRotate = true;
  protected override current(): string {
    return this.path(`d${this.rotations}/app.log`);
  }
  protected rotate(): void {
    this.rotations++;
    mkdirSync(this.path(`d${this.rotations}`), { recursive: true });
  }
  override step(arrived: Arrived): void {
    mkdirSync(this.path(`d${this.rotations}`), { recursive: true });
    super.step(arrived);
  }
}

class Compressing extends BaseWriter {
  /** As logrotate with `compress`: renamed, compressed beside, the plain one removed. */
  protected rotate(): void {
    if (!existsSync(this.path("app.log"))) return;
    const plain = this.path(`app.log.${String(this.rotations++).padStart(4, "0")}`);
    renameSync(this.path("app.log"), plain);
    const bytes = gzipSync(readFileSync(plain));
    const file = openSync(`${plain}.gz`, "w");
    const half = bytes.length >> 1;
    writeSync(file, bytes, 0, half);
    writeSync(file, bytes, half);
    closeSync(file);
    unlinkSync(plain);
  }
}

class Growing extends BaseWriter {
  /** Truncated and at once longer than before: its size never seems to shrink. */
  protected rotate({ lines }: Arrived): void {
    const path = this.path("app.log");
    if (lines !== this.written || !existsSync(path)) return;
    const size = statSync(path).size;
    truncateSync(path);
    const text: string[] = [];
    for (let bytes = 0; bytes <= size; ) {
      const line = `${this.written++} ${"y".repeat(80)}\n`;
      text.push(line);
      bytes += line.length;
    }
    appendFileSync(path, text.join(""));
  }
}

type WriterClass = new (folder: string, random: () => number, end?: string) => Writer;
const by = (Class: WriterClass, end?: string) => (folder: string, random: () => number) =>
  new Class(folder, random, end);

class RenamingInGlob extends Renaming {
  protected override readonly mayRotate = true;
}

class CopyTruncatingInGlob extends CopyTruncating {
  protected override readonly mayRotate = true;
}

class CompressingInGlob extends Compressing {
  protected override readonly mayRotate = true;
}

/** Everything that happens to log files. */
export const rotationCases: readonly RotationCase[] = [
  { name: "appended only, CRLF", paths: ["app.log"], writer: by(Appending, "\r\n") },
  { name: "renamed, archives not in the glob", paths: ["app.log"], writer: by(Renaming) },
  { name: "renamed, archives in the glob", paths: ["app.log*"], writer: by(RenamingInGlob) },
  { name: "copytruncate, copies not in the glob", paths: ["app.log"], writer: by(CopyTruncating) },
  { name: "copytruncate, copies in the glob", paths: ["app.log*"], writer: by(CopyTruncatingInGlob) },
  { name: "truncated", paths: ["app.log"], writer: by(Truncating) },
  { name: "truncated and grown beyond at once", paths: ["app.log"], writer: by(Growing) },
  { name: "deleted and made again (inode reuse)", paths: ["app.log"], writer: by(Deleting) },
  { name: "replaced by a rename", paths: ["*.log"], writer: by(Replacing) },
  { name: "symbolic link retargeted", paths: ["link.log"], writer: by(Retargeting) },
  { name: "late files in late folders", paths: ["d*/*.log"], writer: by(LateFolders) },
  { name: "compressed archives in the glob", paths: ["app.log*"], writer: by(CompressingInGlob) },
  { name: "compressed archives not in the glob", paths: ["app.log"], writer: by(Compressing) },
];
