import {
  FINGERPRINT_BYTES,
  type FileFacts,
  fingerprintOf,
  headMatches,
  readAt,
  tailAt,
  tailFrom,
  tailMatches,
  writtenLength,
} from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { Source, Tail } from "../model/source.ts";

export type Sight =
  /** Nothing has changed. */
  | "same"
  /** It has another name, or fewer names; or something was written over. */
  | "touched"
  /** There is, or may be, something more to read. */
  | "grown"
  /** It holds other content than what was seen of it: truncated, or written anew. */
  | "replaced";

/**
 * Looks at an open file whether anybody reads it or not: a receiver that is away must not keep a truncation from being
 * noticed. Keeps what is known of it (size, the bytes before its end, a fingerprint that grows with a small file), by
 * which a copy is recognised when the file has lost its content. Costs one system call when nothing has changed, none
 * when `seen` says so, and some ten microseconds otherwise.
 *
 * @param seen what was just found by a name of this file
 */
export function lookAt(source: Source, file: OpenFile, seen?: FileFacts): Sight {
  const { size, modified, changed, compressed } = source;
  const isAsBefore = (now: FileFacts): boolean => now.size === size && now.changed === changed;
  if (seen !== undefined && isAsBefore(seen)) return "same";
  const facts = file.facts();
  if (isAsBefore(facts)) return "same";
  const sight = facts.size === size && facts.modified === modified ? "touched" : "grown";
  if (compressed) {
    if (sight === "grown") source.ended = false;
    keep(source, facts);
    return sight;
  }
  if (facts.size < size || facts.size < source.read) return "replaced";
  const head = readAt(file.fd, 0, FINGERPRINT_BYTES);
  if (!headMatches(source.fingerprint, head)) return "replaced";
  if (!tailMatches(source.sizeTail, tailAt(file.fd, size))) return "replaced";
  const tail = endOf(file, facts.size);
  // Between two of these reads the file may be truncated and written anew: they are of one content only if that is there still.
  const length = writtenLength(head);
  const again = readAt(file.fd, 0, length);
  if (!again.equals(head.subarray(0, length)) || file.facts().size < facts.size) return "replaced";
  if (head.length < Math.min(facts.size, FINGERPRINT_BYTES)) return "replaced";
  if (length > source.fingerprint.length) source.fingerprint = fingerprintOf(head);
  source.sizeTail = tail;
  keep(source, facts);
  return sight;
}

/** The bytes before the end of a file; undefined when they are NULs that a writer may fill yet. */
function endOf(file: OpenFile, size: number): Tail | undefined {
  const before = tailAt(file.fd, size);
  return before.length - writtenLength(before) > 1 ? undefined : tailFrom(before);
}

function keep(source: Source, { size, modified, changed }: FileFacts): void {
  source.size = size;
  source.modified = modified;
  source.changed = changed;
}
