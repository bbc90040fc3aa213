import type { CheckpointFiles } from "../../src/agent/model/files.ts";

const notHere = (what: string) => (): never => {
  throw new Error(`${what} is not expected here`);
};

/** The error that a file operation fails with, as the system would throw it. */
export function systemError(code: "ENOSPC" | "EIO" | "EROFS"): NodeJS.ErrnoException {
  const texts = { ENOSPC: "no space left on device", EIO: "i/o error", EROFS: "read-only file system" };
  return Object.assign(new Error(`${code}: ${texts[code]}, write`), { code });
}

/** Appended records in memory; appends wait while `held`, and fail while `failing` or when there is no room. */
export class MemoryAppends implements CheckpointFiles {
  readonly contents = new Map<string, Buffer>();
  failing: NodeJS.ErrnoException | undefined;
  /** Bytes that the disk still takes. */
  room = Number.POSITIVE_INFINITY;
  attempts = 0;
  /** Of each append that worked, whether it was to be synced. */
  readonly synced: boolean[] = [];
  #held: (() => void)[] | undefined;

  /** Lets appends wait until release(). */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  async append(path: string, data: Uint8Array, durable: boolean): Promise<void> {
    this.attempts++;
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    if (this.failing !== undefined) throw this.failing;
    if (data.length > this.room) throw systemError("ENOSPC");
    this.room -= data.length;
    this.synced.push(durable);
    this.contents.set(path, Buffer.concat([this.contents.get(path) ?? Buffer.alloc(0), data]));
  }

  replace = notHere("replace");
  create = notHere("create");
  replaceDurably = notHere("replaceDurably");
  linkDurably = notHere("linkDurably");
  link = notHere("link");
  folder = notHere("folder");
  remove = notHere("remove");
  touch = notHere("touch");
  read = notHere("read");
}
