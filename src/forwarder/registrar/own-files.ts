import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { onDisk } from "../../base/file-names.ts";

/** What writing a file may leave beside it for a moment, or on purpose: see writeAtomic, takeLock and loadRegistry. */
const SUFFIX = /^(\.lock(\.[0-9a-f]+(\.stale)?)?|\.broken-\d+)?$/;

/**
 * Tells the files that the program writes itself, `written` and what lies beside them, from those that it follows: a
 * pattern may cover them, and each line shipped would make another.
 */
export function ownFiles(written: readonly (string | undefined)[]): (path: string) => boolean {
  const known = written
    .filter((path) => path !== undefined)
    .map((path) => ({ folder: dirname(path), name: basename(path) }));
  return (path) => {
    const [folder, name] = [dirname(path), basename(path)];
    // The folder may be known by another name: it is asked for only where the file's own name says that it may be ours.
    return known.some((own) => isOf(own.name, name) && (own.folder === folder || isSame(own.folder, folder)));
  };
}

function isOf(own: string, name: string): boolean {
  if (name.startsWith(own)) return SUFFIX.test(name.slice(own.length));
  return name.startsWith(`.${own}.`) && name.endsWith(".tmp");
}

function isSame(left: string, right: string): boolean {
  try {
    const [a, b] = [statSync(onDisk(left)), statSync(onDisk(right))];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    return false;
  }
}
