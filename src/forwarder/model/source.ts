/** What is known of a followed file: who it is, and how far it is read and acknowledged. */

/** The bytes at the beginning of a file: `length` is 1024, or less while the file is smaller. */
export interface Fingerprint {
  readonly length: number;
  /** SHA-256 of those bytes, base64. */
  readonly hash: string;
}

/** CRC-32 of the `length` bytes that end at a position: proves that the position still lies in the same content. */
export interface Tail {
  readonly length: number;
  readonly crc: number;
}

/** Who a file is on this machine: numbers as decimal strings, because inodes may exceed 2^53. */
export interface Identity {
  readonly device: string;
  readonly inode: string;
  /** Birth time in nanoseconds, `0` where the filesystem does not know. */
  readonly born: string;
}

/** Bytes before a position that are kept for the comparison. */
export const TAIL_BYTES = 64;

/**
 * One content that is, was or will be read. Truncation starts a new Source for the same inode; a rename or a copy keeps
 * the Source and changes where it lies.
 */
export interface Source {
  /** Path reported with the events. */
  readonly name: string;
  /** Where it lies now; undefined when it is not to be found. */
  path: string | undefined;
  /** Where it lay last: its real path, links resolved. */
  last: string;
  identity: Identity;
  fingerprint: Fingerprint;
  /** Index of the `files` entry whose rules apply; -1 when none covers it any more. */
  group: number;
  /** A gzip archive: positions are those of its content. */
  compressed: boolean;
  /** Begins after a truncation: a writer that does not append leaves a hole of NULs, which is skipped. */
  readonly hole: boolean;
  /** Next byte to read (of the decompressed content). */
  read: number;
  /** CRC of what lies before `read`, as far as known. */
  readTail: Tail | undefined;
  /** Everything before is acknowledged. */
  acked: number;
  ackedTail: Tail | undefined;
  /** Milliseconds since the epoch when this entry last changed. */
  touched: number;
  /** Size seen last, in bytes on disk. */
  size: number;
  /** Modification time seen last, milliseconds since the epoch. */
  modified: number;
}

export const keyOf = (identity: Identity): string => `${identity.device}:${identity.inode}`;
