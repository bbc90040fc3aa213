import { constants } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";

export interface Rotation {
  /** Bytes after which a file is put aside; Infinity: never. */
  readonly maximum: number;
  /** How many old files stay: `stdout.1` is the newest. */
  readonly keep: number;
}

/** A place in a file that may have been rotated since. */
export interface FilePlace {
  readonly inode: number;
  readonly size: number;
}

/**
 * stdout or stderr of a sandbox, appended to. The task may write in that folder, so a symbolic link in the file's place
 * is never followed. The file belongs to the sandbox's owner.
 */
export class OutputFile {
  readonly #path: string;
  readonly #sandbox: string;
  readonly #rotation: Rotation;
  #handle: FileHandle;
  #place: FilePlace;

  private constructor(sandbox: string, name: string, rotation: Rotation, handle: FileHandle, place: FilePlace) {
    this.#sandbox = sandbox;
    this.#path = join(sandbox, name);
    this.#rotation = rotation;
    this.#handle = handle;
    this.#place = place;
  }

  /** Rejects with a system error when the file cannot be opened for appending. */
  static async open(sandbox: string, name: string, rotation: Rotation): Promise<OutputFile> {
    const { handle, place } = await openForAppend(sandbox, join(sandbox, name));
    return new OutputFile(sandbox, name, rotation, handle, place);
  }

  /** Where the next byte goes. */
  get place(): FilePlace {
    return this.#place;
  }

  /** Writes all of `data`; on failure `place` says how much was written. */
  async append(data: Uint8Array): Promise<void> {
    if (this.#place.size >= this.#rotation.maximum) await this.#rotate();
    let written = 0;
    while (written < data.length) {
      const { bytesWritten } = await this.#handle.write(data, written);
      written += bytesWritten;
      this.#place = { ...this.#place, size: this.#place.size + bytesWritten };
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Bytes written after `place`, over rotations. 0 when the file of `place` is not there any more. */
  async writtenSince(place: FilePlace): Promise<number> {
    if (place.inode === this.#place.inode) return Math.max(0, this.#place.size - place.size);
    let bytes = this.#place.size;
    for (let index = 1; index <= this.#rotation.keep; index++) {
      const old = await stat(`${this.#path}.${index}`).catch(() => undefined);
      if (old === undefined) return 0;
      // A cursor that was kept while catching up can lie beyond the end of the file that it names.
      if (old.ino === place.inode) return Math.max(0, bytes + old.size - place.size);
      bytes += old.size;
    }
    return 0;
  }

  async #rotate(): Promise<void> {
    for (let index = this.#rotation.keep; index >= 1; index--) {
      const from = index === 1 ? this.#path : `${this.#path}.${index - 1}`;
      await rename(from, `${this.#path}.${index}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
    await this.#handle.close();
    const { handle, place } = await openForAppend(this.#sandbox, this.#path);
    this.#handle = handle;
    this.#place = place;
  }
}

async function openForAppend(sandbox: string, path: string): Promise<{ handle: FileHandle; place: FilePlace }> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(path, flags, 0o644);
  const [file, folder] = [await handle.stat(), await stat(sandbox)];
  if (file.uid !== folder.uid && file.size === 0) await handle.chown(folder.uid, folder.gid).catch(() => undefined);
  return { handle, place: { inode: file.ino, size: file.size } };
}
