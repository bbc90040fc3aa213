/** Writers that rotate while the receiver comes and goes. Every line is its writer's name and a number of its own. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Lines that were written at once. */
export interface Chunk {
  /** Numbers of the first and of the line after the last. */
  readonly first: number;
  readonly until: number;
  readonly path: string;
  readonly inode: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Writer {
  readonly name: string;
  /** Everything that was written, in order. */
  readonly chunks: readonly Chunk[];
  /** Globs of what is followed. */
  readonly paths: readonly string[];
  /** Each of its files is written at once, and deleted soon. */
  readonly isShort: boolean;
  /** Lines written so far: numbers 0 to this. */
  readonly written: number;
  /** Called ten times a second. */
  step(): void;
  /** Called at the beginning of each phase, with its number. */
  phase(number: number): void;
}

/** Steps between two rotations. */
const ROTATION = 30;
/** Lines of one step. */
const LINES = 20;

abstract class BaseWriter implements Writer {
  abstract readonly name: string;
  abstract readonly paths: readonly string[];
  readonly isShort: boolean = false;
  written = 0;
  readonly chunks: Chunk[] = [];
  protected steps = 0;
  protected readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  protected path(name: string): string {
    return join(this.folder, name);
  }

  /** Adds so many lines to the file of this name, which need not be there. */
  protected write(name: string, count: number): void {
    const [path, first, at] = [this.path(name), this.written, Date.now()];
    let text = "";
    for (let line = 0; line < count; line++) text += `${this.name} ${this.written++} ${"x".repeat(80)}\n`;
    appendFileSync(path, text);
    this.chunks.push({ first, until: this.written, path, inode: statSync(path).ino, at });
  }

  abstract step(): void;
  phase(_number: number): void {}
}

class Renaming extends BaseWriter {
  readonly name = "rename";
  get paths() {
    return [this.path("app.log")];
  }
  step(): void {
    this.write("app.log", LINES);
    if (++this.steps % ROTATION !== 0) return;
    // Two are kept, as logrotate does it.
    rmSync(this.path("app.log.2"), { force: true });
    if (this.steps > ROTATION) renameSync(this.path("app.log.1"), this.path("app.log.2"));
    renameSync(this.path("app.log"), this.path("app.log.1"));
    writeFileSync(this.path("app.log"), "");
  }
}

class CopyTruncating extends BaseWriter {
  readonly name = "copytruncate";
  get paths() {
    return [this.path("app.log")];
  }
  step(): void {
    this.write("app.log", LINES);
    if (++this.steps % ROTATION !== 0) return;
    copyFileSync(this.path("app.log"), this.path(`app.log.${this.steps}`));
    truncateSync(this.path("app.log"));
  }
}

class ShortLived extends BaseWriter {
  readonly name = "short";
  override readonly isShort = true;
  get paths() {
    return [this.path("*.log")];
  }
  step(): void {
    const step = this.steps++;
    this.write(`${step}.log`, 2);
    // Each lives for two seconds.
    if (step >= 20) unlinkSync(this.path(`${step - 20}.log`));
  }
}

class Linking extends BaseWriter {
  readonly name = "glog";
  get paths() {
    return [this.path("agent.INFO")];
  }
  #log = "";
  step(): void {
    if (this.steps++ % ROTATION === 0) {
      const old = this.#log;
      this.#log = `agent.INFO.${this.steps}`;
      this.write(this.#log, 1);
      symlinkSync(this.#log, this.path(".next"));
      renameSync(this.path(".next"), this.path("agent.INFO"));
      // The one before the last is deleted, as glog's own retention does.
      if (this.steps > 2 * ROTATION) unlinkSync(this.path(`agent.INFO.${this.steps - 2 * ROTATION}`));
      if (old === "") return;
    }
    this.write(this.#log, LINES);
  }
}

class Crowd extends BaseWriter {
  readonly name = "crowd";
  readonly #files: number;
  constructor(folder: string, files: number) {
    super(folder);
    this.#files = files;
  }
  get paths() {
    return [this.path("*.log")];
  }
  step(): void {}
  /** All files are rotated at once, and begun anew. */
  override phase(number: number): void {
    for (let file = 0; file < this.#files; file++) {
      const path = this.path(`${file}.log`);
      if (number > 0) renameSync(path, `${path}.1`);
      this.write(`${file}.log`, 1);
    }
  }
}

/** All of them, below `folder`; `files`: how many are rotated at once. */
export function outageWriters(folder: string, files: number): Writer[] {
  return [
    new Renaming(join(folder, "rename")),
    new CopyTruncating(join(folder, "copy")),
    new ShortLived(join(folder, "short")),
    new Linking(join(folder, "glog")),
    new Crowd(join(folder, "crowd"), files),
  ];
}
