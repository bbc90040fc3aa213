import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { codeOf } from "../../../base/errors.ts";
import { holdPlace, mountOf, NotHeld, O_PATH, orClose, otherKind, pathOf, readAll } from "./descriptor.ts";

/** Whose a new file or folder becomes; undefined: the agent's own. */
export interface HeldOwner {
  readonly uid: number;
  readonly gid: number;
}

/** How a file in a held folder is opened. */
export interface FileOptions {
  /** `read`, `append` (write at the end) or `update` (read and write anywhere). */
  readonly access: "read" | "append" | "update";
  /** Permissions of a file that is made when there is none; without it a missing file is ENOENT. */
  readonly create?: number;
  /** Owner of a file that is made. */
  readonly owner?: HeldOwner | undefined;
  /** A file that is there already is EEXIST. */
  readonly exclusive?: boolean;
  /** Files with further names (hard links) are opened, too: for reading only what the reader may see anyway. */
  readonly manyNames?: boolean;
}

const ACCESS = {
  read: constants.O_RDONLY,
  append: constants.O_WRONLY | constants.O_APPEND,
  update: constants.O_RDWR,
} as const;

/** Another process may make and remove a file between two looks; not for ever. */
const MOST_LOOKS = 8;

/**
 * A folder that somebody else may own, held by a descriptor. Everything in it is reached through
 * `/proc/self/fd/<N>/<name>`, one name at a time: whatever its owner swaps, renames or links meanwhile, nothing outside of
 * it is opened, made, changed or removed. Links are never followed, mounts never entered (and with them procfs, and what a
 * task's own namespace shows in its sandbox), and only regular files with one name are opened; never a FIFO or a device,
 * which would block a thread or reach a disk.
 *
 * Synchronous: these are system calls on names and small files, and a launch pays for each. What can be large is in
 * removal.ts. `path` is only for messages.
 */
export class HeldFolder implements Disposable {
  readonly fd: number;
  readonly path: string;
  #mount: number | undefined;
  #closed = false;

  private constructor(fd: number, path: string, mount?: number) {
    this.fd = fd;
    this.path = path;
    this.#mount = mount;
  }

  /** Opens a folder by its path, which the agent itself made and owns up to its last name. The last one is no link. */
  static open(path: string): HeldFolder {
    return new HeldFolder(holdPlace(path, constants.O_DIRECTORY), path);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The mount that this folder lies on; nothing below it may lie on another one. */
  get mount(): number {
    this.#mount ??= mountOf(this.fd);
    return this.#mount;
  }

  /** Where the kernel finds `name` in this folder. Throws a NotHeld for what is not a single name. */
  at(name: string): string {
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
      throw new NotHeld(`${this.path}/${name}`, "is not a name in that folder");
    return `${pathOf(this.fd)}/${name}`;
  }

  #checkMount(fd: number, path: string): void {
    if (mountOf(fd) !== this.mount) throw new NotHeld(path, "is another mount");
  }

  /** Opens a folder in this one. Throws ENOENT, or a NotHeld for a link, a file or a mount. */
  folder(name: string): HeldFolder {
    const path = `${this.path}/${name}`;
    const fd = holdPlace(this.at(name));
    return orClose(fd, () => {
      const stats = fstatSync(fd);
      if (!stats.isDirectory()) throw otherKind(path, stats, "a folder");
      this.#checkMount(fd, path);
      return new HeldFolder(fd, path, this.mount);
    });
  }

  /** Makes a folder and opens it. Throws EEXIST. */
  make(name: string, mode: number, owner?: HeldOwner): HeldFolder {
    mkdirSync(this.at(name), { mode: 0o700 });
    const made = this.folder(name);
    return orClose(made.fd, () => {
      // umask may have taken bits away. The owner last: from then on it is theirs.
      made.chmod(mode);
      if (owner !== undefined) made.chown(owner);
      return made;
    });
  }

  /** Opens the folder `way` below this one, name by name. `make`: folders that are missing are made. */
  walk(way: string, make?: { readonly mode: number; readonly owner?: HeldOwner | undefined }): HeldFolder {
    let current: HeldFolder = this.#again();
    for (const name of way.split("/")) {
      if (name === "" || name === ".") continue;
      const before = current;
      try {
        current = make === undefined ? before.folder(name) : before.#ensured(name, make.mode, make.owner);
      } finally {
        before.close();
      }
    }
    return current;
  }

  #again(): HeldFolder {
    return new HeldFolder(openSync(pathOf(this.fd), O_PATH | constants.O_DIRECTORY), this.path, this.#mount);
  }

  #ensured(name: string, mode: number, owner: HeldOwner | undefined): HeldFolder {
    for (let look = 1; ; look++) {
      try {
        return this.folder(name);
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || look === MOST_LOOKS) throw error;
      }
      try {
        return this.make(name, mode, owner);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
    }
  }

  /**
   * Opens a file in this folder; the caller closes the descriptor. It is held first and looked at, then opened: a device
   * or a FIFO never is. Throws ENOENT, EEXIST, or a NotHeld for what is not a regular file with one name.
   */
  file(name: string, options: FileOptions): number {
    const path = `${this.path}/${name}`;
    for (let look = 1; ; look++) {
      try {
        if (!options.exclusive) return this.#existing(name, path, options);
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || options.create === undefined || look === MOST_LOOKS) throw error;
      }
      try {
        return this.#created(name, options);
      } catch (error) {
        if (codeOf(error) !== "EEXIST" || options.exclusive) throw error;
      }
    }
  }

  #existing(name: string, path: string, options: FileOptions): number {
    const place = holdPlace(this.at(name));
    try {
      const stats = fstatSync(place);
      if (!stats.isFile()) throw otherKind(path, stats, "a file");
      if (stats.nlink > 1 && !options.manyNames) throw new NotHeld(path, `has ${stats.nlink} names`);
      this.#checkMount(place, path);
      return openSync(pathOf(place), ACCESS[options.access] | constants.O_NONBLOCK | constants.O_NOCTTY);
    } finally {
      closeSync(place);
    }
  }

  #created(name: string, { access, create = 0o600, owner }: FileOptions): number {
    const flags = ACCESS[access] | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(this.at(name), flags, create);
    return orClose(fd, () => {
      if (owner !== undefined) chownSync(pathOf(fd), owner.uid, owner.gid);
      return fd;
    });
  }

  /** A small file's content. Throws as `file`, and a NotHeld for more than `most` bytes. */
  read(name: string, most: number): Buffer {
    const fd = this.file(name, { access: "read" });
    try {
      return readAll(fd, `${this.path}/${name}`, most);
    } finally {
      closeSync(fd);
    }
  }

  /** Status of an entry, links not followed; undefined when there is none. */
  look(name: string): Stats | undefined {
    return lstatSync(this.at(name), { throwIfNoEntry: false });
  }

  /** Status of the folder itself. */
  stat(): Stats {
    return fstatSync(this.fd);
  }

  names(): string[] {
    return readdirSync(pathOf(this.fd));
  }

  readlink(name: string): string {
    return readlinkSync(this.at(name));
  }

  /** Makes a symbolic link, `owner`'s. Throws EEXIST. */
  symlink(target: string, name: string, owner?: HeldOwner): void {
    symlinkSync(target, this.at(name));
    if (owner === undefined) return;
    const place = holdPlace(this.at(name));
    try {
      // Of a link itself; of something else that was put in its place, never.
      if (fstatSync(place).isSymbolicLink()) chownSync(pathOf(place), owner.uid, owner.gid);
    } finally {
      closeSync(place);
    }
  }

  /** Removes a file, a link, a FIFO; never a folder. */
  unlink(name: string): void {
    unlinkSync(this.at(name));
  }

  /** Removes an empty folder. */
  rmdir(name: string): void {
    rmdirSync(this.at(name));
  }

  /** Renames an entry, into another held folder if one is given; what has the new name is replaced as rename(2) does. */
  rename(name: string, newName: string, to: HeldFolder = this): void {
    renameSync(this.at(name), to.at(newName));
  }

  chown({ uid, gid }: HeldOwner): void {
    chownSync(pathOf(this.fd), uid, gid);
  }

  chmod(mode: number): void {
    chmodSync(pathOf(this.fd), mode);
  }
}
