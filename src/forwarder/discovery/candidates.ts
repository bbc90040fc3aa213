import {
  FINGERPRINT_BYTES,
  type FileFacts,
  factsAt,
  headMatches,
  readAt,
  sameFile,
  tailMatches,
  withOpen,
} from "../model/content.ts";
import { type Source, TAIL_BYTES } from "../model/source.ts";
import { inspectArchive } from "./archive.ts";
import { type Decision, decideNew, type Likeness, mayContinue } from "./continuation.ts";

/** Sources that one new file is compared with, at most. */
const MOST_COMPARED = 64;

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

async function contentOf(found: Found, positions: number[]): Promise<Content | undefined> {
  if (found.compressed) {
    const archive = await inspectArchive(found.path, positions);
    const now = factsAt(found.path);
    if (now === undefined || !sameFile(found.facts.identity, now)) return undefined;
    return archive && { head: archive.head, size: archive.size, before: (position) => archive.before.get(position) };
  }
  return withOpen(found.path, found.facts.identity, (fd) => {
    const tails = new Map<number, Buffer>();
    for (const position of positions) {
      if (position > found.facts.size) continue;
      const length = Math.min(TAIL_BYTES, position);
      tails.set(position, readAt(fd, position - length, length));
    }
    const head = readAt(fd, 0, FINGERPRINT_BYTES);
    return { head, size: found.facts.size, before: (position: number) => tails.get(position) };
  });
}

function likenessOf(source: Source, orphan: boolean, content: Content): Likeness {
  const { fingerprint, read, readTail } = source;
  const before = content.before(read);
  const reaches = content.size >= read && (read === 0 || before !== undefined);
  // A copy in progress is shorter than the fingerprint: it counts as alike until it can be compared.
  const head = content.head.length < fingerprint.length ? !orphan : headMatches(fingerprint, content.head);
  return {
    source,
    orphan,
    head,
    tail: reaches && content.head.length >= fingerprint.length && tailMatches(readTail, before ?? Buffer.alloc(0)),
  };
}

/**
 * Compares a file that was not followed with the sources that it may continue. `incomplete` for an archive that is
 * still being written (or is broken), and for a file that is not there any more.
 */
export async function judge(
  found: Found,
  sources: Iterable<{ source: Source; orphan: boolean }>,
  now: number,
): Promise<Decision | { readonly kind: "incomplete" }> {
  const related = [...sources].filter(({ source }) => mayContinue(source, found.path)).slice(0, MOST_COMPARED);
  const quiet = now - found.facts.modified;
  if (related.length === 0 && !found.compressed) return { kind: "new" };
  const positions = related.map(({ source }) => source.read);
  const content = await contentOf(found, positions);
  if (content === undefined) return { kind: "incomplete" };
  return decideNew(
    { path: found.path, size: content.size, quiet },
    related.map(({ source, orphan }) => likenessOf(source, orphan, content)),
  );
}
