import { closeSync, fstatSync, openSync, readdirSync, renameSync, symlinkSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "./clock.ts";
import { codeOf, messageOf } from "./errors.ts";
import { makeFolder } from "./folders.ts";
import { fileHeader, linkName, logFileName, type Severity, superfluousFiles } from "./glog-line.ts";

export interface LogFolder {
  readonly path: string;
  readonly program: string;
  readonly host: string;
  readonly user: string;
  readonly pid: number;
  readonly clock: Clock;
  /** A file that reached this size is followed by a new one. */
  readonly maximumBytes: number;
  /** How many files of each severity are kept, the one being written among them. */
  readonly keep: number;
  /** Milliseconds between writes for lines below WARNING; 0 writes each at once. */
  readonly bufferMilliseconds: number;
}

/** After a failure the folder is tried again this much later, and a deleted file is noticed this late. */
const RETRY = 30_000;
const LOOK = 10_000;
const LARGEST_BUFFER = 65_536;

/** The log file of one severity: opened at its first line, rotated, flushed. Never throws; troubles are told once. */
export class SeverityFile {
  readonly #folder: LogFolder;
  readonly #severity: Severity;
  readonly #trouble: (message: string) => void;
  #descriptor: number | undefined;
  #size = 0;
  #openedAt = 0;
  #lookedAt = 0;
  #retryAt = 0;
  #lost = 0;
  #buffer: string[] = [];
  #buffered = 0;
  #flushedAt = 0;

  constructor(folder: LogFolder, severity: Severity, trouble: (message: string) => void) {
    this.#folder = folder;
    this.#severity = severity;
    this.#trouble = trouble;
  }

  /** `urgent` lines are on their way to the disk when this returns, and everything before them. */
  write(line: string, urgent: boolean): void {
    this.#buffer.push(line);
    this.#buffered += line.length;
    const now = this.#folder.clock.monotonic();
    const wait = this.#folder.bufferMilliseconds;
    if (urgent || this.#buffered >= LARGEST_BUFFER || now - this.#flushedAt >= wait) this.flush();
  }

  flush(): void {
    this.#flushedAt = this.#folder.clock.monotonic();
    if (this.#buffer.length === 0) return;
    const lines = this.#buffer;
    this.#buffer = [];
    this.#buffered = 0;
    const failed = this.#append(lines.join(""));
    if (failed === undefined) return;
    this.#lost += lines.length;
    this.#close();
    this.#retryAt = this.#flushedAt + RETRY;
    this.#trouble(failed);
  }

  close(): void {
    this.flush();
    this.#close();
  }

  #close(): void {
    if (this.#descriptor === undefined) return;
    try {
      closeSync(this.#descriptor);
    } catch (error) {
      this.#trouble(`closing a log file failed: ${messageOf(error)}`);
    }
    this.#descriptor = undefined;
  }

  /** What went wrong, or undefined. Within the pause after a failure lines are only counted. */
  #append(text: string): string | undefined {
    const now = this.#folder.clock.monotonic();
    if (this.#descriptor === undefined && now < this.#retryAt) {
      this.#lost += text.split("\n").length - 1;
      return undefined;
    }
    try {
      this.#rotateIfDue(now);
      const note = this.#lost === 0 ? "" : `${this.#lost} lines before this one could not be written\n`;
      const data = Buffer.from(note + text);
      for (let offset = 0; offset < data.length; )
        offset += writeSync(this.#descriptor ?? this.#open(), data, offset, data.length - offset);
      this.#size += data.length;
      this.#lost = 0;
      return undefined;
    } catch (error) {
      return `log files in ${this.#folder.path} cannot be written: ${messageOf(error)}; trying again every ${RETRY / 1000} s`;
    }
  }

  #rotateIfDue(now: number): void {
    if (this.#descriptor !== undefined && now - this.#lookedAt >= LOOK) {
      this.#lookedAt = now;
      const { nlink, size } = fstatSync(this.#descriptor);
      // Somebody removed or emptied the file.
      this.#size = size;
      if (nlink === 0) this.#close();
    }
    if (this.#descriptor === undefined) this.#open();
    else if (this.#size >= this.#folder.maximumBytes) this.#rotate();
  }

  #rotate(): void {
    // Names have whole seconds: a second file of the same second would have the name of the first.
    if (Math.floor(this.#folder.clock.now() / 1000) === Math.floor(this.#openedAt / 1000)) return;
    const old = this.#descriptor;
    this.#descriptor = undefined;
    this.#open();
    if (old !== undefined) closeSync(old);
  }

  #open(): number {
    const { path, program, clock, host, keep } = this.#folder;
    const time = clock.now();
    const name = logFileName({ ...this.#folder, severity: this.#severity, time });
    makeFolder(path);
    const descriptor = openSync(join(path, name), "a", 0o644);
    this.#descriptor = descriptor;
    this.#openedAt = time;
    this.#lookedAt = clock.monotonic();
    this.#size = fstatSync(descriptor).size;
    if (this.#size === 0) this.#size += writeSync(descriptor, fileHeader(time, host));
    this.#point(linkName(program, this.#severity), name);
    this.#prune(program, keep);
    return descriptor;
  }

  #point(link: string, name: string): void {
    const path = join(this.#folder.path, link);
    const temporary = `${path}.${this.#folder.pid}.tmp`;
    try {
      unlinkIfThere(temporary);
      symlinkSync(name, temporary);
      renameSync(temporary, path);
    } catch (error) {
      this.#trouble(`the link ${path} cannot be made: ${messageOf(error)}`);
    }
  }

  #prune(program: string, keep: number): void {
    const { path } = this.#folder;
    try {
      for (const name of superfluousFiles(readdirSync(path), program, this.#severity, keep))
        unlinkIfThere(join(path, name));
    } catch (error) {
      this.#trouble(`old log files in ${path} cannot be removed: ${messageOf(error)}`);
    }
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
