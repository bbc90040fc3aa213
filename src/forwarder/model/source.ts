/** What is known of a followed file: who it is, and how far it is read and acknowledged. */
import type { Stage } from "./lifecycle.ts";
import type { OpenFile } from "./open-file.ts";

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

/** So many known bytes tell a content from any other: with them it is recognised under any name. */
export const CONVINCING = 256;

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
  stage: Stage;
  /** Its descriptor, from the moment it is found; undefined when it is closed or cannot be held. */
  file: OpenFile | undefined;
  /** Where it lies now; undefined when it is not to be found. */
  path: string | undefined;
  /** Where it lay last: its real path, links resolved. */
  last: string;
  identity: Identity;
  fingerprint: Fingerprint;
  /** Index of the `files` entry whose rules apply; -1 when none covers it any more. */
  group: number;
  /** Which of the entries that name the file this is followed for, from 0: each has a position of its own. */
  readonly entry: number;
  /** A gzip archive: positions are those of its content. */
  compressed: boolean;
  /** An archive that was read to its end, or is broken as it is: not read again until it changes. */
  ended: boolean;
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
  /** What lies before that size: a copy that holds all that was seen of the file holds this too. */
  sizeTail: Tail | undefined;
  /** From `read` to here there are only NULs: room that a writer took and has not filled. Nothing to read. */
  blankTo: number;
  /** The position is the old program's, which counted a line end as one byte. */
  imported: boolean;
  /** Modification time seen last, milliseconds since the epoch. */
  modified: number;
  /** Time of the last change of content or inode seen, in nanoseconds: two changes of one millisecond differ. */
  changed: string;
  /** Number of the scan that found it last. */
  scan: number;
  /** Monotonic milliseconds when it was last seen to grow, or was opened. */
  grown: number;
}

/** Something of it is not read, as far as it was looked at. */
export const isUnread = ({ size, read, blankTo, compressed, ended }: Source): boolean =>
  compressed ? !ended : size > Math.max(read, blankTo);

/** Everything that was read is acknowledged, and everything that was seen is read. */
export const isSettled = (source: Source): boolean => !isUnread(source) && source.acked >= source.read;

/** A source of which nothing is known yet but its name: to be filled in. */
export const BEGINNING = {
  stage: "found",
  file: undefined,
  entry: 0,
  compressed: false,
  ended: false,
  read: 0,
  readTail: undefined,
  acked: 0,
  ackedTail: undefined,
  touched: 0,
  size: 0,
  sizeTail: undefined,
  blankTo: 0,
  imported: false,
  modified: 0,
  changed: "",
  scan: 0,
  grown: 0,
} as const satisfies Partial<Source>;

export const keyOf = (identity: Identity): string => `${identity.device}:${identity.inode}`;
