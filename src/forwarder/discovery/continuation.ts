import { basename, dirname } from "node:path";
import { CONVINCING, type Source } from "../model/source.ts";

/** A file that holds less than what it may be a copy of is given this long to become one, in milliseconds. */
export const SETTLE = 10_000;

/** What is known of a file that was not followed before. */
export interface Candidate {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since its last change. */
  readonly quiet: number;
}

/** How the content of a candidate compares with a source. */
export interface Likeness {
  readonly source: Source;
  /** The source's own file is gone, or holds something else now. */
  readonly orphan: boolean;
  /** What the candidate holds at its beginning is what the source began with, as far as both go. */
  readonly head: boolean;
  /** It reaches the position that was read, and what lies before that is the same. */
  readonly tail: boolean;
  /** Whether it holds all that was seen of the source, read or not; undefined when that cannot be told. */
  readonly whole: boolean | undefined;
  /** Something of the source is known by which it can be told from others. */
  readonly known: boolean;
}

export type Decision =
  | { readonly kind: "new" }
  /** It is where the source goes on: a copy or an archive of it. */
  | { readonly kind: "adopt"; readonly source: Source }
  /** It is, or becomes, a copy of a file that is still read: look again. */
  | { readonly kind: "hold" };

/** Whether a file is near another: in its folder, or in a folder in that, where rotation may put what is old. */
const isNear = (path: string, candidate: string): boolean =>
  dirname(candidate) === dirname(path) || dirname(dirname(candidate)) === dirname(path);

/** `app.log` and `app.log.1`, `old/app.log-20260101.gz`: names that rotation makes. Never the same path. */
export function namesRelated(path: string, candidate: string): boolean {
  return path !== candidate && isNear(path, candidate) && basename(candidate).startsWith(basename(path));
}

/** Whether enough is known of a source to recognise its content under any name. */
export const isConvincing = ({ read, fingerprint }: Source): boolean =>
  read >= CONVINCING || fingerprint.length >= CONVINCING;

/**
 * What a newly found file is. In doubt it is new: sent twice rather than lost. A different file with the same first
 * lines is told from a copy by the bytes before the position, by those before the end that was seen, and by its name.
 */
export function decideNew(candidate: Candidate, likenesses: readonly Likeness[]): Decision {
  const adopted = likenesses
    // Of a source that was empty nothing is known: it would be continued by anything.
    .filter(({ orphan, head, tail, whole, known }) => orphan && head && tail && whole !== false && known)
    .sort((a, b) => Number(b.whole ?? false) - Number(a.whole ?? false) || b.source.read - a.source.read)[0];
  if (adopted !== undefined) return { kind: "adopt", source: adopted.source };
  return likenesses.some((one) => isHeld(candidate, one)) ? { kind: "hold" } : { kind: "new" };
}

/**
 * It is a copy, or a copy in progress, of a file that is still read: of one that is deleted and open, too. Of an empty log
 * nothing is known, and nothing beside it waits for it.
 */
function isHeld(candidate: Candidate, { source, orphan, head, tail, whole, known }: Likeness): boolean {
  if (orphan || !head || !known || whole === false) return false;
  const { path, last, read, fingerprint } = source;
  if (path === undefined && tail) return true;
  if (!namesRelated(path ?? last, candidate.path)) return false;
  // A copy in progress: it does not reach yet what is known of the source, be that read or only its beginning.
  return tail || (candidate.size < Math.max(read, fingerprint.length) && candidate.quiet < SETTLE);
}
