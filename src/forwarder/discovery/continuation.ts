import { basename, dirname } from "node:path";
import type { Source } from "../model/source.ts";

/** A copy whose name has only the folder in common needs this many shared bytes to be believed. */
const CONVINCING = 256;
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
}

export type Decision =
  | { readonly kind: "new" }
  /** It is where the source goes on: a copy or an archive of it. */
  | { readonly kind: "adopt"; readonly source: Source }
  /** It is, or becomes, a copy of a file that is still followed: look again. */
  | { readonly kind: "hold" };

/** `app.log` and `app.log.1`, `app.log-20260101.gz`: names that rotation makes. Never the same name. */
export function namesRelated(name: string, candidate: string): boolean {
  if (name === candidate || dirname(name) !== dirname(candidate)) return false;
  return basename(candidate).startsWith(basename(name));
}

/** Whether it is worth comparing contents. */
export function mayContinue(source: Source, candidate: string): boolean {
  if (namesRelated(source.last, candidate)) return true;
  return source.read >= CONVINCING && source.last !== candidate && dirname(source.last) === dirname(candidate);
}

/**
 * What a newly found file is. In doubt it is new: sent twice rather than lost. A different file with the same first
 * lines is told from a copy by the bytes before the position, and by its name.
 */
export function decideNew(candidate: Candidate, likenesses: readonly Likeness[]): Decision {
  const adopted = likenesses
    // Of a source that was empty nothing is known: it would be continued by anything.
    .filter(({ source, orphan, head, tail }) => orphan && head && tail && source.fingerprint.length > 0)
    .sort((a, b) => b.source.read - a.source.read)[0];
  if (adopted !== undefined) return { kind: "adopt", source: adopted.source };
  const held = likenesses.some(
    ({ source, orphan, head, tail }) =>
      !orphan &&
      head &&
      source.path !== undefined &&
      namesRelated(source.path, candidate.path) &&
      // A copy in progress: it does not reach yet what is known of the source, be that read or only its beginning.
      (tail || (candidate.size < Math.max(source.read, source.fingerprint.length) && candidate.quiet < SETTLE)),
  );
  return held ? { kind: "hold" } : { kind: "new" };
}
