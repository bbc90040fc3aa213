import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { posix } from "node:path";
import { codeOf, messageOf } from "../../../base/errors.ts";
import { Roots } from "./roots.ts";

/** Why a path cannot be had, and the status that says so. */
export class FilesError extends Error {
  readonly status: 400 | 404 | 500;

  constructor(status: FilesError["status"], message: string) {
    super(message);
    this.name = "FilesError";
    this.status = status;
  }
}

/** open(2)'s O_PATH, which Node does not name: a handle that reads nothing and triggers nothing (devices, FIFOs). */
const O_PATH = 0o10000000;

const LONGEST_PATH = 4096;

/** An opened file or folder inside an attached one. The caller closes `handle`. */
export interface OpenedPath {
  readonly handle: FileHandle;
  readonly kind: "file" | "folder";
  readonly size: number;
}

/**
 * The virtual tree of /files: sandboxes and the log. Nothing outside of what was attached can be opened through it,
 * whatever links a task makes in its sandbox and whenever it makes them: a path is opened first, and then the kernel is
 * asked where the opened file lies.
 */
export class AttachedFiles {
  readonly #roots = new Roots();

  /** Shows the file or folder `real` under the virtual path `virtual` (by itself when it is not given). */
  attach(real: string, virtual: string = real): void {
    this.#roots.attach(real, trimmed(virtual));
  }

  detach(virtual: string): void {
    this.#roots.detach(trimmed(virtual));
  }

  /** What is at `real` or below it is no longer shown, under no name. */
  detachBelow(real: string): void {
    this.#roots.detachBelow(real);
  }

  /** Virtual paths and where they lead, sorted. */
  entries(): [string, string][] {
    return this.#roots.entries();
  }

  /** Throws a FilesError: 404 for what is not there, 400 for what may not be seen or is no file or folder. */
  async open(path: string): Promise<OpenedPath> {
    const { root, rest } = this.#locate(path);
    const { handle: place, real } = await openPlace(posix.join(root, rest));
    try {
      const home = await realpath(root);
      if (real !== home && !real.startsWith(`${home}/`))
        throw new FilesError(400, "The path leads out of its folder.\n");
      const info = await place.stat();
      if (info.isDirectory()) return { handle: place, kind: "folder", size: 0 };
      if (!info.isFile()) throw new FilesError(400, "The path is neither a file nor a folder.\n");
      // The same file, whatever its name means by now.
      const handle = await open(`/proc/self/fd/${place.fd}`, constants.O_RDONLY | constants.O_NOCTTY);
      await place.close();
      return { handle, kind: "file", size: info.size };
    } catch (error) {
      await place.close().catch(() => undefined);
      throw filesError(error);
    }
  }

  #locate(path: string): { root: string; rest: string } {
    if (path.includes("\0") || path.length > LONGEST_PATH) throw new FilesError(400, "The path is not valid.\n");
    const wanted = trimmed(posix.normalize(path));
    for (let prefix = wanted; ; prefix = posix.dirname(prefix)) {
      const root = this.#roots.realOf(prefix);
      if (root !== undefined) return { root, rest: wanted.slice(prefix.length) };
      if (prefix === "/" || prefix === "." || prefix === "") throw new FilesError(404, "");
    }
  }
}

const trimmed = (path: string): string => (path === "/" ? path : path.replace(/\/+$/, ""));

async function openPlace(path: string): Promise<{ handle: FileHandle; real: string }> {
  let handle: FileHandle;
  try {
    handle = await open(path, O_PATH);
  } catch (error) {
    throw filesError(error);
  }
  try {
    const real = await readlink(`/proc/self/fd/${handle.fd}`);
    // The kernel marks a file that was removed meanwhile.
    if (real.endsWith(" (deleted)") && (await isGone(real))) throw new FilesError(404, "");
    return { handle, real };
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw filesError(error);
  }
}

async function isGone(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch {
    return true;
  }
}

/** A system error as the status that a client should see. */
export function filesError(error: unknown): FilesError {
  if (error instanceof FilesError) return error;
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") return new FilesError(404, "");
  if (code === "ELOOP" || code === "EACCES" || code === "EPERM") return new FilesError(400, `${code}\n`);
  return new FilesError(500, `${code ?? messageOf(error)}\n`);
}
