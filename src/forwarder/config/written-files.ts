import { readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../../base/errors.ts";
import { onDisk } from "../../base/file-names.ts";

/** A file that the program replaces whole, by a rename: whatever lies there is gone then. */
export interface WrittenFile {
  /** As a user calls it. */
  readonly what: string;
  readonly path: string;
  /** How another place is said. */
  readonly option: string;
}

/**
 * Throws a UserError for one that would take something else away: a device (`/dev/null`, `/dev/stdout`), a folder, the
 * configuration, or each other. `taken`: what is read there, by path.
 */
export function checkWrittenFiles(files: readonly WrittenFile[], taken: ReadonlyMap<string, string>): void {
  const known = new Map([...taken].map(([path, what]) => [placeOf(path), what]));
  for (const { what, path, option } of files) {
    const fix = `set ${option} to a file of its own`;
    const kind = kindAt(path);
    if (kind !== undefined)
      throw new UserError(`${what} cannot be '${path}': it is ${kind}, which would be replaced`, fix);
    const other = known.get(placeOf(path));
    if (other !== undefined) throw new UserError(`${what} cannot be '${path}': that is ${other}`, fix);
    known.set(placeOf(path), what);
  }
}

/** Links that lead on to another link, at most. */
const MOST_LINKS = 40;

/** The file itself that a link leads to, or will: a rename onto the link would replace that, and leave the file as it was. */
export function throughLinks(path: string): string {
  let place = path;
  try {
    for (let links = 0; links < MOST_LINKS; links++)
      place = resolve(dirname(place), readlinkSync(onDisk(place), "utf8"));
  } catch {
    return place;
  }
  return path;
}

function kindAt(path: string): string | undefined {
  try {
    const found = statSync(onDisk(path));
    if (found.isFile()) return undefined;
    return found.isDirectory() ? "a folder" : "a device, a pipe or a socket";
  } catch {
    return undefined;
  }
}

/** By which two paths of one file are known to be that. */
function placeOf(path: string): string {
  const place = throughLinks(path);
  try {
    return realpathSync(onDisk(place), "utf8");
  } catch {
    return place;
  }
}
