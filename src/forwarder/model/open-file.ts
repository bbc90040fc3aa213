import { close as closeCallback, closeSync, read as readCallback, readlinkSync } from "node:fs";
import { promisify } from "node:util";
import { codeOf } from "../../base/errors.ts";
import { pathOf } from "../../base/file-names.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import { type FileFacts, factsOfOpen, openForReading, sameFile } from "./content.ts";
import type { Identity } from "./source.ts";

const read = promisify(readCallback);
const close = promisify(closeCallback);

/**
 * Descriptors of deleted files on their way out, one after the other: the last to close one frees its disk space, some
 * milliseconds of a busy disk each. A crowd of them closed at once stood everything still for seconds, and what lived no
 * longer than that was never seen.
 */
const leaving = new SerialQueue();

const nothing = (): void => undefined;

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
  #left = nothing;

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
    return factsOfOpen(this.fd, this.identity);
  }

  /** Another machine has removed it from their network filesystem: an open descriptor does not keep it there. */
  get isStale(): boolean {
    try {
      this.facts();
      return false;
    } catch (error) {
      return codeOf(error) === "ESTALE";
    }
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
      if (this.#closed && this.#users === 0) this.#leave();
    };
  }

  /** Closes it once nobody reads it. `left` is called when its descriptor is free: at once, unless the file is deleted. */
  close(left = nothing): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#left = left;
    if (this.#users === 0) this.#leave();
  }

  #leave(): void {
    if (this.#hasName) {
      closeSync(this.fd);
      this.#left();
      return;
    }
    // Whatever its filesystem says of the last words, the number is free.
    void leaving
      .add(() => close(this.fd))
      .catch(() => undefined)
      .finally(this.#left);
  }

  /** False as well when its filesystem does not answer any more (a server that is gone): then it may take its time to close. */
  get #hasName(): boolean {
    try {
      return this.facts().links > 0;
    } catch {
      return false;
    }
  }
}
