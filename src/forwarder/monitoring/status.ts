import type { Source } from "../model/source.ts";

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
  readonly registry: { readonly path: string; readonly failure: string | undefined };
  readonly ackSeconds: { readonly last: number; readonly maximum: number };
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
  /** Seconds since the file last changed while something of it is unacknowledged; 0 otherwise. */
  readonly lagSeconds: number;
}

/** How far a source is behind. An archive's size says nothing about its content: its lag is what was read of it. */
export function fileStatus(source: Source, now: number): FileStatus {
  const { name, path, identity, size, read, acked, modified, compressed } = source;
  const lagBytes = Math.max(0, (compressed ? read : Math.max(size, read)) - acked);
  return {
    source: name,
    path,
    device: identity.device,
    inode: identity.inode,
    size,
    read,
    acknowledged: acked,
    lagBytes,
    lagSeconds: lagBytes === 0 ? 0 : Math.max(0, (now - modified) / 1000),
  };
}
