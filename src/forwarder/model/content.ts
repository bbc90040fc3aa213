import { createHash } from "node:crypto";
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { crc32 } from "node:zlib";
import { codeOf } from "../../base/errors.ts";
import { onDisk } from "../../base/file-names.ts";
import { type Fingerprint, type Identity, type Source, TAIL_BYTES, type Tail } from "./source.ts";

/** Bytes at the beginning of a file that tell it from others. */
export const FINGERPRINT_BYTES = 1024;

/** What a path leads to. */
export interface FileFacts {
  readonly identity: Identity;
  readonly kind: "file" | "directory" | "fifo" | "socket" | "device";
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Last change of content or inode, in nanoseconds. */
  readonly changed: string;
  /** Names that the file has: 0 when it is deleted and still open. */
  readonly links: number;
}

/** Devices whose birth times are real: kernels without them report the time of the last change instead. */
const birthsKept = new Set<bigint>();

/** The device that was seen last: there are few, and their numbers are in what is known of each file. */
const device = { number: -1n, text: "" };

function identityOf({ dev, ino, birthtimeNs }: BigIntStats): Identity {
  if (dev !== device.number) Object.assign(device, { number: dev, text: String(dev) });
  return { device: device.text, inode: String(ino), born: String(birthtimeNs) };
}

/** `known`: who it is known to be but for the time of its birth; not made again. */
function factsOf(stat: BigIntStats, known?: Identity): FileFacts {
  if (stat.birthtimeNs !== stat.ctimeNs && stat.birthtimeNs !== 0n) birthsKept.add(stat.dev);
  const kind = stat.isFile()
    ? "file"
    : stat.isDirectory()
      ? "directory"
      : stat.isFIFO()
        ? "fifo"
        : stat.isSocket()
          ? "socket"
          : "device";
  return {
    identity: known !== undefined && BigInt(known.born) === stat.birthtimeNs ? known : identityOf(stat),
    kind,
    size: Number(stat.size),
    modified: Number(stat.mtimeMs),
    changed: String(stat.ctimeNs),
    links: Number(stat.nlink),
  };
}

/** Follows symbolic links. Undefined when nothing is there or it may not be looked at. */
export function factsAt(path: string): FileFacts | undefined {
  try {
    return factsOf(statSync(onDisk(path), { bigint: true }));
  } catch {
    return undefined;
  }
}

/** `identity`: that of the file which is open there, where it is known. */
export const factsOfOpen = (fd: number, identity?: Identity): FileFacts =>
  factsOf(fstatSync(fd, { bigint: true }), identity);

/**
 * Whether two sights of one inode number are one file. The birth time tells a reused inode, where the filesystem keeps
 * it; elsewhere a birth time equal to the last change proves nothing.
 */
export function sameFile(known: Identity, now: FileFacts): boolean {
  if (known.inode !== now.identity.inode || known.device !== now.identity.device) return false;
  const { born } = now.identity;
  if (known.born === "0" || born === "0" || born === known.born) return true;
  return born === now.changed && !birthsKept.has(BigInt(now.identity.device));
}

/** Opens for reading, never blocking on what is not a file. Throws the system's error. */
export const openForReading = (path: string): number =>
  openSync(onDisk(path), constants.O_RDONLY | constants.O_NONBLOCK);

/** Exactly `[at, at + length)`, or less at the end of the file. */
export function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let have = 0;
  while (have < length) {
    const count = readSync(fd, bytes, have, length - have, at + have);
    if (count === 0) break;
    have += count;
  }
  return bytes.subarray(0, have);
}

/** How many bytes there are before the NULs at the end of `bytes`: NULs stand for what is not written yet. */
export function writtenLength(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

/** What tells a file that begins with `head` from others. NULs at its end are left out: they may become text. */
export function fingerprintOf(head: Uint8Array): Fingerprint {
  const bytes = head.subarray(0, writtenLength(head.subarray(0, FINGERPRINT_BYTES)));
  return { length: bytes.length, hash: hashOf(bytes) };
}

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");

/** Whether a file that begins with `head` can be the one with that fingerprint. */
export function headMatches(fingerprint: Fingerprint, head: Uint8Array): boolean {
  if (fingerprint.length === 0) return true;
  if (head.length < fingerprint.length) return false;
  return hashOf(head.subarray(0, fingerprint.length)) === fingerprint.hash;
}

/** The proof of what lies before a position; undefined when that is nothing, or NULs, which prove nothing. */
export const tailFrom = (before: Uint8Array): Tail | undefined =>
  writtenLength(before) === 0 ? undefined : { length: before.length, crc: crc32(before) };

export const tailMatches = (tail: Tail | undefined, before: Uint8Array): boolean =>
  tail === undefined ||
  (before.length >= tail.length && crc32(before.subarray(before.length - tail.length)) === tail.crc);

/** The bytes before a position by which it is recognised later. */
export function tailAt(fd: number, position: number): Buffer {
  const length = Math.min(TAIL_BYTES, position);
  return readAt(fd, position - length, length);
}

/** Whether the open plain file still holds the content of `source` up to where it is read. */
export function holdsContent(fd: number, source: Pick<Source, "fingerprint" | "read" | "readTail">): boolean {
  const { fingerprint, read, readTail } = source;
  if (!headMatches(fingerprint, readAt(fd, 0, Math.max(fingerprint.length, 0)))) return false;
  if (read === 0) return true;
  const length = Math.max(readTail?.length ?? 0, 1);
  const before = readAt(fd, read - length, length);
  return before.length === length && tailMatches(readTail, before);
}

/**
 * Runs `action` with the file open; undefined when the path cannot be opened, or leads to another file than `identity`
 * by now: names move while we look.
 */
export function withOpen<T>(path: string, identity: Identity, action: (fd: number) => T): T | undefined {
  let fd: number;
  try {
    fd = openForReading(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "EACCES" || code === "EPERM" || code === "ENXIO" || code === "ELOOP")
      return undefined;
    throw error;
  }
  try {
    return sameFile(identity, factsOfOpen(fd)) ? action(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}
