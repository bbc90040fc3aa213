import { basename, dirname } from "node:path";

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
    return known.some((own) => {
      if (own.folder !== folder) return false;
      if (name.startsWith(own.name)) return SUFFIX.test(name.slice(own.name.length));
      return name.startsWith(`.${own.name}.`) && name.endsWith(".tmp");
    });
  };
}
