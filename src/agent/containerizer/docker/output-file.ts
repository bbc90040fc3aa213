import { closeSync, fchownSync, fstatSync } from "node:fs";
import { codeOf } from "../../../base/errors.ts";
import { HeldFolder } from "../../model/held/folder.ts";
import { writeAt } from "../../model/held/transfer.ts";

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
 * stdout or stderr of a sandbox, appended to. The task may write in that folder (and be root in its container): only a
 * regular file with one name is ever opened, through no link. The file
 * belongs to the sandbox's owner.
 */
export class OutputFile {
  readonly #folder: HeldFolder;
  readonly #name: string;
  readonly #rotation: Rotation;
  #file: number;
  #place: FilePlace;

  private constructor(folder: HeldFolder, name: string, rotation: Rotation, opened: Opened) {
    this.#folder = folder;
    this.#name = name;
    this.#rotation = rotation;
    this.#file = opened.file;
    this.#place = opened.place;
  }

  /** Rejects with a system error when the file cannot be opened for appending. */
  static async open(sandbox: string, name: string, rotation: Rotation): Promise<OutputFile> {
    const folder = HeldFolder.open(sandbox);
    try {
      return new OutputFile(folder, name, rotation, openForAppend(folder, name));
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** Where the next byte goes. */
  get place(): FilePlace {
    return this.#place;
  }

  /** Writes all of `data`; on failure `place` says how much was written. */
  async append(data: Uint8Array): Promise<void> {
    if (this.#place.size >= this.#rotation.maximum) this.#rotate();
    let written = 0;
    while (written < data.length) {
      const count = await writeAt(this.#file, data, written);
      written += count;
      this.#place = { ...this.#place, size: this.#place.size + count };
    }
  }

  async close(): Promise<void> {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
    this.#folder.close();
  }

  /** Bytes written after `place`, over rotations. 0 when the file of `place` is not there any more. */
  async writtenSince(place: FilePlace): Promise<number> {
    if (place.inode === this.#place.inode) return Math.max(0, this.#place.size - place.size);
    let bytes = this.#place.size;
    for (let index = 1; index <= this.#rotation.keep; index++) {
      const old = this.#folder.look(`${this.#name}.${index}`);
      if (old === undefined) return 0;
      // A cursor that was kept while catching up can lie beyond the end of the file that it names.
      if (old.ino === place.inode) return Math.max(0, bytes + old.size - place.size);
      bytes += old.size;
    }
    return 0;
  }

  #rotate(): void {
    for (let index = this.#rotation.keep; index >= 1; index--) {
      const from = index === 1 ? this.#name : `${this.#name}.${index - 1}`;
      try {
        this.#folder.rename(from, `${this.#name}.${index}`);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
      }
    }
    const { file, place } = openForAppend(this.#folder, this.#name);
    closeSync(this.#file);
    this.#file = file;
    this.#place = place;
  }
}

interface Opened {
  readonly file: number;
  readonly place: FilePlace;
}

function openForAppend(folder: HeldFolder, name: string): Opened {
  const owner = folder.stat();
  const file = folder.file(name, { access: "append", create: 0o644 });
  try {
    const info = fstatSync(file);
    if (info.uid !== owner.uid && info.size === 0) giveTo(file, owner);
    return { file, place: { inode: info.ino, size: info.size } };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Without the right to give files away it stays the agent's. */
function giveTo(file: number, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  try {
    fchownSync(file, uid, gid);
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
  }
}
