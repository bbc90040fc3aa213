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
import type { Source } from "../model/source.ts";
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

type Related = { readonly source: Source; readonly orphan: boolean };

/** Whether the beginnings are alike. A copy in progress is shorter than the fingerprint: alike until it can be compared. */
const headsAlike = (head: Buffer, { source: { fingerprint }, orphan }: Related): boolean =>
  head.length < fingerprint.length ? !orphan : headMatches(fingerprint, head);

async function contentOf(found: Found, related: readonly Related[]): Promise<Content | undefined> {
  const { path, facts } = found;
  if (found.compressed) {
    const archive = await inspectArchive(
      path,
      related.map(({ source }) => source.read),
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
      const { read } = one.source;
      if (read > facts.size || tails.has(read) || !headsAlike(head, one)) continue;
      tails.set(read, tailAt(fd, read));
    }
    return { head, size: facts.size, before: (position: number) => tails.get(position) };
  });
}

function likenessOf(one: Related, content: Content): Likeness {
  const { fingerprint, read, readTail } = one.source;
  const before = content.before(read);
  const reaches = content.size >= read && (read === 0 || before !== undefined);
  return {
    ...one,
    head: headsAlike(content.head, one),
    tail: reaches && content.head.length >= fingerprint.length && tailMatches(readTail, before ?? Buffer.alloc(0)),
  };
}

/**
 * Compares a file that was not followed with the sources that it may continue. `incomplete` for an archive that is
 * still being written (or is broken), and for a file that is not there any more.
 */
export async function judge(
  found: Found,
  sources: Iterable<Related>,
  now: number,
): Promise<Decision | { readonly kind: "incomplete" }> {
  const related = [...sources].filter(({ source }) => mayContinue(source, found.path));
  const quiet = now - found.facts.modified;
  if (related.length === 0 && !found.compressed) return { kind: "new" };
  const content = await contentOf(found, related);
  if (content === undefined) return { kind: "incomplete" };
  return decideNew(
    { path: found.path, size: content.size, quiet },
    related.map((one) => likenessOf(one, content)),
  );
}
