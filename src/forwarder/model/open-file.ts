import { closeSync, read as readCallback, readlinkSync } from "node:fs";
import { promisify } from "node:util";
import { type FileFacts, factsOfOpen, openForReading, sameFile } from "./content.ts";
import { pathOf } from "./path.ts";
import type { Identity } from "./source.ts";

const read = promisify(readCallback);

/** What the kernel writes behind the name of a file that was deleted. */
const DELETED = Buffer.from(" (deleted)");

/**
 * The open descriptor of a followed file: from the moment it is opened it is the file, whatever becomes of its name. It
 * closes when nobody reads any more, so that a number that is used again is never read by mistake.
 */
export class OpenFile {
  readonly fd: number;
  readonly identity: Identity;
  #users = 0;
  #closed = false;

  private constructor(fd: number, identity: Identity) {
    this.fd = fd;
    this.identity = identity;
  }

  /**
   * Opens the plain file at `path`; undefined when something else lies there, or another file than `wanted`: names move
   * while we look. Throws the system's error.
   */
  static at(path: string, wanted?: Identity): OpenFile | undefined {
    const fd = openForReading(path);
    const facts = factsOfOpen(fd);
    if (facts.kind === "file" && (wanted === undefined || sameFile(wanted, facts)))
      return new OpenFile(fd, facts.identity);
    closeSync(fd);
    return undefined;
  }

  facts(): FileFacts {
    return factsOfOpen(this.fd);
  }

  /** Where it lies now, as the kernel knows it; undefined when that name is gone, or /proc does not say. */
  place(): string | undefined {
    try {
      const bytes = readlinkSync(`/proc/self/fd/${this.fd}`, "buffer");
      return bytes.subarray(-DELETED.length).equals(DELETED) ? undefined : pathOf(bytes);
    } catch {
      return undefined;
    }
  }

  /** Reads into `buffer` from position `at` on; resolves to the number of bytes. */
  async read(buffer: Buffer, at: number): Promise<number> {
    const leave = this.use();
    try {
      return (await read(this.fd, buffer, 0, buffer.length, at)).bytesRead;
    } finally {
      leave();
    }
  }

  /** Keeps the descriptor open until the function that is returned is called. */
  use(): () => void {
    this.#users++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#users--;
      if (this.#closed && this.#users === 0) closeSync(this.fd);
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#users === 0) closeSync(this.fd);
  }
}
