import {
  FINGERPRINT_BYTES,
  type FileFacts,
  headMatches,
  readAt,
  tailAt,
  tailMatches,
  withOpen,
} from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { Source, Tail } from "../model/source.ts";
import { archiveHead, inspectArchive } from "./archive.ts";
import { type Decision, decideNew, type Likeness } from "./continuation.ts";

/** A file that is not followed, open. */
export interface Found {
  /** The path that the pattern led to. */
  readonly name: string;
  /** The same with links resolved. */
  readonly path: string;
  readonly facts: FileFacts;
  readonly compressed: boolean;
  readonly file: OpenFile;
}

/** The beginning of a file and what lies before any position of its content. */
interface Content {
  readonly head: Buffer;
  readonly size: number;
  before(position: number): Buffer | undefined;
}

export interface Known {
  readonly source: Source;
  readonly orphan: boolean;
}

/**
 * A source and how far it was read when the comparison began. It is read on meanwhile: its present position was not
 * looked for in the candidate, and would make a copy look like something else. Its fingerprint is compared as it is in
 * the end: it only grows, and a source of which nothing was known in the beginning is like anything.
 */
interface Related extends Known {
  readonly read: number;
  readonly readTail: Tail | undefined;
  readonly size: number;
  readonly sizeTail: Tail | undefined;
}

const asItIs = ({ source, orphan }: Known): Related => {
  const { read, readTail, size, sizeTail } = source;
  return { source, orphan, read, readTail, size, sizeTail };
};

/** Whether the file of a source begins with `head`. */
function beginsWith({ path, file, identity, compressed }: Source, head: Buffer): boolean {
  const begins = (fd: number): boolean => readAt(fd, 0, head.length).equals(head);
  if (compressed) return false;
  if (file !== undefined) return begins(file.fd);
  return path !== undefined && withOpen(path, identity, begins) === true;
}

/**
 * Whether the beginnings are alike. A copy in progress (`whole` is false) is shorter than the fingerprint: alike if the
 * file that is copied begins so.
 */
const headsAlike = (head: Buffer, { source, orphan }: Known, whole: boolean): boolean =>
  head.length < source.fingerprint.length
    ? !orphan && !whole && beginsWith(source, head)
    : headMatches(source.fingerprint, head);

/** The beginning of what a file holds. */
export const headOf = ({ file, compressed }: Pick<Found, "file" | "compressed">): Promise<Buffer> | Buffer =>
  compressed ? archiveHead(file) : readAt(file.fd, 0, FINGERPRINT_BYTES);

async function contentOf(found: Found, related: readonly Related[]): Promise<Content | undefined> {
  const { file, facts } = found;
  if (found.compressed) {
    const archive = await inspectArchive(
      file,
      related.flatMap(({ read, size }) => [read, size]),
    );
    return archive && { head: archive.head, size: archive.size, before: (position) => archive.before.get(position) };
  }
  const head = readAt(file.fd, 0, FINGERPRINT_BYTES);
  const tails = new Map<number, Buffer>();
  // Many sources may have such a name; few begin alike.
  for (const one of related) {
    if (!headsAlike(head, one, false)) continue;
    for (const position of [one.read, one.size])
      if (position <= facts.size && !tails.has(position)) tails.set(position, tailAt(file.fd, position));
  }
  return { head, size: facts.size, before: (position) => tails.get(position) };
}

function likenessOf(one: Related, content: Content, isArchive: boolean): Likeness {
  const { source, orphan, read, readTail, size, sizeTail } = one;
  const { fingerprint } = source;
  const [before, end] = [content.before(read), content.before(size)];
  const reaches = content.size >= read && (read === 0 || before !== undefined);
  // The size of an archive says nothing about its content; a copy that ends earlier may have been made earlier.
  const comparable = !source.compressed && sizeTail !== undefined && end !== undefined;
  const whole = comparable ? tailMatches(sizeTail, end) : undefined;
  return {
    source,
    orphan,
    head: headsAlike(content.head, one, isArchive),
    tail: reaches && content.head.length >= fingerprint.length && tailMatches(readTail, before ?? Buffer.alloc(0)),
    whole,
    known: fingerprint.length > 0 || (read > 0 && readTail !== undefined) || whole === true,
  };
}

/**
 * Compares a file that was not followed with the sources that it may continue. `incomplete` for an archive that is
 * still being written, or is broken.
 */
export async function judge(
  found: Found,
  sources: Iterable<Known>,
  now: number,
): Promise<Decision | { readonly kind: "incomplete" }> {
  const related = [...sources].map(asItIs);
  if (related.length === 0 && !found.compressed) return { kind: "new" };
  const content = await contentOf(found, related);
  if (content === undefined) return { kind: "incomplete" };
  return decideNew(
    // One whose clock is ahead, or was before ours was set back, is not being written for that.
    { path: found.path, size: content.size, quiet: Math.abs(now - found.facts.modified) },
    related.map((one) => likenessOf(one, content, found.compressed)),
  );
}
