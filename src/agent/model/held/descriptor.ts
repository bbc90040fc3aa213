import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** open(2)'s O_PATH, which Node does not name: a descriptor that opens nothing (no device, no FIFO), only holds the place. */
export const O_PATH = 0o10000000;

/** What was found is not what may be touched there: a link, a device, a mount, a file with a second name. */
export class NotHeld extends Error {
  /** The end of a sentence that begins with the path. */
  readonly why: string;
  /** As open(2) says it of a link that it may not follow; EINVAL for all else. */
  readonly code: "ELOOP" | "EINVAL";

  constructor(path: string, why: string, code: "ELOOP" | "EINVAL" = "EINVAL") {
    super(`'${path}' ${why}`);
    this.name = "NotHeld";
    this.why = why;
    this.code = code;
  }
}

/** The kernel's name of a descriptor: whatever its path means by now, this is the opened thing. */
export const pathOf = (fd: number): string => `/proc/self/fd/${fd}`;

const KINDS: readonly (readonly [(stats: Stats) => boolean, string])[] = [
  [(stats) => stats.isSymbolicLink(), "is a symbolic link"],
  [(stats) => stats.isFIFO(), "is a FIFO"],
  [(stats) => stats.isBlockDevice() || stats.isCharacterDevice(), "is a device"],
  [(stats) => stats.isSocket(), "is a socket"],
  [(stats) => stats.isDirectory(), "is a folder"],
  [(stats) => stats.isFile(), "is a file"],
];

/** What `stats` is, as the end of a sentence. */
export const kindOf = (stats: Stats): string => KINDS.find(([is]) => is(stats))?.[1] ?? "is neither file nor folder";

/** What is said of a place that is not the `wanted`. */
export const otherKind = (path: string, stats: Stats, wanted: "a file" | "a folder"): NotHeld =>
  new NotHeld(path, `${kindOf(stats)}, not ${wanted}`, stats.isSymbolicLink() ? "ELOOP" : "EINVAL");

/** Opens the place itself: a link is held, not followed, and nothing is triggered. Throws the system's error. */
export const holdPlace = (path: string, more = 0): number => openSync(path, O_PATH | constants.O_NOFOLLOW | more);

/** The kernel's words on a descriptor. The mount is in the third line; what may follow is of no interest. */
const words = Buffer.alloc(256);
const MOUNT = "\nmnt_id:";

/**
 * Number of the mount that an opened file lies on. A bind mount has the device of what it shows, but a number of its own:
 * the only thing by which it can be told. It is asked of each folder that is removed, so it makes nothing but a short text.
 */
export function mountOf(fd: number): number {
  const info = openSync(`/proc/self/fdinfo/${fd}`, constants.O_RDONLY);
  let said: string;
  try {
    said = words.toString("latin1", 0, readSync(info, words, 0, words.length, null));
  } finally {
    closeSync(info);
  }
  const at = said.indexOf(MOUNT);
  const mount = at < 0 ? Number.NaN : Number.parseInt(said.slice(at + MOUNT.length), 10);
  if (Number.isNaN(mount)) throw new Error(`the kernel does not tell on which mount descriptor ${fd} lies`);
  return mount;
}

/** Runs `action` on a descriptor and closes it when that throws. */
export function orClose<T>(fd: number, action: (fd: number) => T): T {
  try {
    return action(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Reads an opened file to its end, at most `most` bytes; one more is a NotHeld that names `path`. */
export function readAll(fd: number, path: string, most: number): Buffer {
  const { size } = fstatSync(fd);
  if (size > most) throw new NotHeld(path, `has ${size} bytes, more than ${most}`);
  const parts: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, most + 1 - length));
    const count = readSync(fd, chunk, 0, chunk.length, null);
    if (count === 0) return Buffer.concat(parts, length);
    length += count;
    if (length > most) throw new NotHeld(path, `has more than ${most} bytes`);
    parts.push(chunk.subarray(0, count));
  }
}
