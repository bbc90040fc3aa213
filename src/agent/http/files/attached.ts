import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { posix } from "node:path";
import { codeOf, messageOf } from "../../../base/errors.ts";
import { NotHeld, pathOf } from "../../model/held/descriptor.ts";
import { openBelow } from "../../model/held/way-below.ts";
import { NOT_FOUND } from "../route.ts";
import { type FileOwner, LOG } from "./owner.ts";
import { Roots } from "./roots.ts";
import { ShownRuns } from "./shown-runs.ts";

/** Why a path cannot be had, and the status that says so. */
export class FilesError extends Error {
  readonly status: 400 | 403 | 404 | 500;

  constructor(status: FilesError["status"], message: string) {
    super(message);
    this.name = "FilesError";
    this.status = status;
  }
}

const LONGEST_PATH = 4096;

/** Where the agent's own log is shown. */
export const AGENT_LOG = "/slave/log";

/** The files that somebody may see. */
export interface ShownFiles {
  ownerOf(path: string): FileOwner | undefined;
  /** Virtual paths and where they lead, in no order; of those that are there twice the last counts. */
  entries(): Iterable<[string, string]>;
  open(path: string): Promise<OpenedPath>;
}

/** An opened file or folder inside an attached one. The caller closes `handle`. */
export interface OpenedPath {
  readonly handle: FileHandle;
  readonly kind: "file" | "folder";
  readonly size: number;
}

/**
 * The virtual tree of /files: sandboxes and the log. Nothing outside of what was attached can be opened through it,
 * whatever links a task makes in its sandbox and whenever it makes them: way-below.ts goes name by name.
 */
export class AttachedFiles implements ShownFiles {
  readonly #roots = new Roots();
  readonly #runs = new ShownRuns();

  /** Shows the file or folder `real` under the virtual path `virtual` (by itself when it is not given). */
  attach(real: string, virtual: string = real, owner: FileOwner = LOG): void {
    this.#roots.attach(real, trimmed(virtual), owner);
  }

  /** Shows a run's sandbox under the names of shown-runs.ts. */
  attachRun(directory: string, owner: FileOwner, which: { readonly isLatest: boolean }): void {
    this.#runs.attach(directory, owner, which);
  }

  detach(virtual: string): void {
    this.#roots.detach(trimmed(virtual));
  }

  /** What is at `real` or below it is no longer shown, under no name. */
  detachBelow(real: string): void {
    this.#roots.detachBelow(real);
    this.#runs.detachBelow(real);
  }

  *entries(): Generator<[string, string]> {
    yield* this.#roots.entries();
    yield* this.#runs.entries();
  }

  /** Whose a virtual path is; undefined: nothing is attached there. Throws a FilesError for one that cannot be. */
  ownerOf(path: string): FileOwner | undefined {
    const root = this.#find(path)?.root ?? "";
    return this.#roots.ownerOf(root) ?? this.#runs.ownerOf(root);
  }

  /** Throws a FilesError: 404 for what is not there, 400 for what may not be seen or is no file or folder. */
  async open(path: string): Promise<OpenedPath> {
    const found = this.#find(path);
    if (found === undefined) throw new FilesError(404, NOT_FOUND);
    return await openWithin(found.root, found.rest);
  }

  #find(path: string): { root: string; rest: string } | undefined {
    if (path.includes("\0") || path.length > LONGEST_PATH) throw new FilesError(400, "The path is not valid.\n");
    const wanted = trimmed(posix.normalize(path));
    for (let prefix = wanted; ; prefix = posix.dirname(prefix)) {
      const root = this.#roots.realOf(prefix) ?? this.#runs.realOf(prefix);
      if (root !== undefined) return { root, rest: wanted.slice(prefix.length) };
      if (prefix === "/" || prefix === "." || prefix === "") return undefined;
    }
  }
}

/** Opens what is at `rest` below the folder (or file) `root`, by the rules of way-below.ts. Throws a FilesError. */
export async function openWithin(root: string, rest: string): Promise<OpenedPath> {
  try {
    const { place, info } = await openBelow(root, rest);
    if (info.isDirectory()) return { handle: place, kind: "folder", size: 0 };
    // The same file, whatever its name means by now.
    const handle = await open(pathOf(place.fd), constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK).finally(
      () => place.close(),
    );
    return { handle, kind: "file", size: info.size };
  } catch (error) {
    throw filesError(error);
  }
}

const trimmed = (path: string): string => (path === "/" ? path : path.replace(/\/+$/, ""));

/** A system error as the status that a client should see. */
export function filesError(error: unknown): FilesError {
  if (error instanceof FilesError) return error;
  if (error instanceof NotHeld) return new FilesError(400, `The path ${error.why}.\n`);
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") return new FilesError(404, NOT_FOUND);
  if (code === "ELOOP" || code === "EACCES" || code === "EPERM") return new FilesError(400, `${code}\n`);
  return new FilesError(500, `${code ?? messageOf(error)}\n`);
}
