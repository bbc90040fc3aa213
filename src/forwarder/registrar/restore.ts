import { BEGINNING, type Source } from "../model/source.ts";
import type { Entry } from "./format.ts";

/**
 * The source that an entry of the registry speaks of. `group`: the `files` entry that covers it now, -1 for none; `order`:
 * which of those that name the file that is.
 */
export function restoredSource(entry: Entry, group: number, order = 0): Source {
  const { device, inode, born, fingerprint, offset, tail, touched, path, last, source, imported } = entry;
  return {
    ...BEGINNING,
    name: source,
    path,
    last,
    identity: { device, inode, born },
    fingerprint,
    group,
    entry: order,
    compressed: (path ?? source).endsWith(".gz"),
    imported: imported ?? false,
    read: offset,
    readTail: tail,
    acked: offset,
    ackedTail: tail,
    touched,
    size: offset,
  };
}

/** A source of the pipeline before this one, with its open file: what was not acknowledged is read again. */
export function inheritedSource(source: Source, group: number): Source {
  const { acked, ackedTail } = source;
  return { ...source, stage: "found", group, read: acked, readTail: ackedTail, ended: false, blankTo: 0, scan: 0 };
}
