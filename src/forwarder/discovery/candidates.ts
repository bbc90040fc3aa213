import {
  FINGERPRINT_BYTES,
  type FileFacts,
  factsAt,
  headMatches,
  readAt,
  sameFile,
  tailAt,
  tailMatches,
  withOpen,
} from "../model/content.ts";
import type { Source, Tail } from "../model/source.ts";
import { inspectArchive } from "./archive.ts";
import { type Decision, decideNew, type Likeness, mayContinue } from "./continuation.ts";

export interface Found {
  /** The path that the pattern led to. */
  readonly name: string;
  /** The same with links resolved. */
  readonly path: string;
  readonly facts: FileFacts;
  readonly compressed: boolean;
}

/** The beginning of a file and what lies before any position of its content. */
interface Content {
  readonly head: Buffer;
  readonly size: number;
  before(position: number): Buffer | undefined;
}

type Known = { readonly source: Source; readonly orphan: boolean };

/**
 * A source and how far it was read when the comparison began. It is read on meanwhile: its present position was not
 * looked for in the candidate, and would make a copy look like something else. Its fingerprint is compared as it is in
 * the end: it only grows, and a source of which nothing was known in the beginning is like anything.
 */
interface Related extends Known {
  readonly read: number;
  readonly readTail: Tail | undefined;
}

const asItIs = ({ source, orphan }: Known): Related => {
  const { read, readTail } = source;
  return { source, orphan, read, readTail };
};

/** Whether the file of a source begins with `head`. */
const beginsWith = ({ path, identity, compressed }: Source, head: Buffer): boolean =>
  path !== undefined &&
  !compressed &&
  withOpen(path, identity, (fd) => readAt(fd, 0, head.length).equals(head)) === true;

/**
 * Whether the beginnings are alike. A copy in progress (`whole` is false) is shorter than the fingerprint: alike if the
 * file that is copied begins so.
 */
const headsAlike = (head: Buffer, { source, orphan }: Known, whole: boolean): boolean =>
  head.length < source.fingerprint.length
    ? !orphan && !whole && beginsWith(source, head)
    : headMatches(source.fingerprint, head);

async function contentOf(found: Found, related: readonly Related[]): Promise<Content | undefined> {
  const { path, facts } = found;
  if (found.compressed) {
    const archive = await inspectArchive(
      path,
      related.map(({ read }) => read),
    );
    const now = factsAt(path);
    if (now === undefined || !sameFile(facts.identity, now)) return undefined;
    return archive && { head: archive.head, size: archive.size, before: (position) => archive.before.get(position) };
  }
  return withOpen(path, facts.identity, (fd) => {
    const head = readAt(fd, 0, FINGERPRINT_BYTES);
    const tails = new Map<number, Buffer>();
    // Many sources may share a folder; few begin alike.
    for (const one of related) {
      const { read } = one;
      if (read > facts.size || tails.has(read) || !headsAlike(head, one, false)) continue;
      tails.set(read, tailAt(fd, read));
    }
    return { head, size: facts.size, before: (position: number) => tails.get(position) };
  });
}

function likenessOf(one: Related, content: Content, whole: boolean): Likeness {
  const { source, orphan, read, readTail } = one;
  const { fingerprint } = source;
  const before = content.before(read);
  const reaches = content.size >= read && (read === 0 || before !== undefined);
  return {
    source,
    orphan,
    head: headsAlike(content.head, one, whole),
    tail: reaches && content.head.length >= fingerprint.length && tailMatches(readTail, before ?? Buffer.alloc(0)),
  };
}

/**
 * Compares a file that was not followed with the sources that it may continue. `incomplete` for an archive that is
 * still being written (or is broken), and for a file that is not there any more.
 */
export async function judge(
  found: Found,
  sources: Iterable<Known>,
  now: number,
): Promise<Decision | { readonly kind: "incomplete" }> {
  const related = [...sources].filter(({ source }) => mayContinue(source, found.path)).map(asItIs);
  const quiet = now - found.facts.modified;
  if (related.length === 0 && !found.compressed) return { kind: "new" };
  const content = await contentOf(found, related);
  if (content === undefined) return { kind: "incomplete" };
  return decideNew(
    { path: found.path, size: content.size, quiet },
    related.map((one) => likenessOf(one, content, found.compressed)),
  );
}
