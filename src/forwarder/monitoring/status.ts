import { factsAt, sameFile } from "../model/content.ts";
import type { Source } from "../model/source.ts";
import type { Lag } from "./lag.ts";

/** What the program is doing, for people and for machines. */
export interface Status {
  readonly version: string;
  readonly started: string;
  readonly uptimeSeconds: number;
  readonly shipped: { readonly events: number; readonly bytesRead: number; readonly windows: number };
  readonly outstandingEvents: number;
  readonly memoryBytes: number;
  readonly openFiles: number;
  /** Files with unread lines without a descriptor: those that wait for one, and how often that happened. */
  readonly unheldFiles: { readonly now: number; readonly total: number };
  /** Files that were deleted or truncated with lines unread, of which no copy was found. */
  readonly lostFiles: number;
  /** Files that were there and gone before they could be opened. */
  readonly missedFiles: number;
  readonly registry: { readonly path: string; readonly failure: string | undefined };
  readonly ackSeconds: { readonly last: number; readonly maximum: number };
  /** Of all files: bytes that are not acknowledged, and the age of the oldest. */
  readonly lag: { readonly bytes: number; readonly seconds: number };
  readonly servers: readonly object[];
  readonly files: readonly FileStatus[];
}

export interface FileStatus {
  readonly source: string;
  readonly path: string | undefined;
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  /** Next byte to read. */
  readonly read: number;
  /** Everything before is acknowledged. */
  readonly acknowledged: number;
  readonly lagBytes: number;
  /** Age in seconds of the oldest byte that is not acknowledged; 0 when there is none. */
  readonly lagSeconds: number;
}

/** The size of the file as it is at this moment, by its descriptor or where it lies; as it was seen last when that fails. */
function sizeNow({ file, path, identity, size }: Source): number {
  try {
    if (file !== undefined) return file.facts().size;
  } catch {
    return size;
  }
  const facts = path === undefined ? undefined : factsAt(path);
  return facts !== undefined && sameFile(identity, facts) ? facts.size : size;
}

/** How far a source is behind. An archive's size says nothing about its content: its lag is what was read of it. */
export function fileStatus(source: Source, lag: Lag, now: number): FileStatus {
  const { name, path, identity, read, acked, compressed } = source;
  const size = sizeNow(source);
  const end = compressed ? read : Math.max(size, read);
  return {
    source: name,
    path,
    device: identity.device,
    inode: identity.inode,
    size,
    read,
    acknowledged: acked,
    lagBytes: Math.max(0, end - acked),
    lagSeconds: lag.ageOf(source, end, now) / 1000,
  };
}
