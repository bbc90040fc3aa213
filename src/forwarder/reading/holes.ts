import { execFile } from "node:child_process";
import type { OpenFile } from "../model/open-file.ts";

/** A run of NULs of this length is a hole that a writer left, not text. */
const HOLE_BYTES = 4096;
/** Bytes that are compared at once. */
const BLOCK = 1_048_576;
/** After so many NULs the kernel is asked where data begins: reading a hole costs, skipping it does not. */
const ASK_AFTER = 8 * BLOCK;
/** NULs that are passed in one turn when the kernel cannot be asked: other files wait. */
const MOST_A_TURN = 64 * BLOCK;

const zeros = Buffer.alloc(BLOCK);
const hole = zeros.subarray(0, HOLE_BYTES);

/**
 * Index of the first byte of a hole in `bytes`, which lie at position `base`; -1 without one. At the beginning of a file
 * every NUL is one. `width`: bytes of a character, which a hole does not cut.
 */
export function holeIn(bytes: Buffer, base: number, width: number): number {
  if (base === 0 && bytes.length >= width && writtenFrom(bytes.subarray(0, width)) === width) return 0;
  const index = bytes.length < HOLE_BYTES ? -1 : bytes.indexOf(hole);
  return index === -1 ? -1 : index + ((base + index) % width);
}

/** Index of the first byte that is not NUL; the length without one. */
export function writtenFrom(bytes: Buffer): number {
  let [from, size] = [0, bytes.length];
  // Halves are compared as a whole: a loop over bytes would cost a millisecond a megabyte.
  while (size > 64) {
    const half = size >> 1;
    if (bytes.compare(zeros, 0, half, from, from + half) === 0) {
      from += half;
      size -= half;
    } else size = half;
  }
  while (from < bytes.length && bytes[from] === 0) from++;
  return from;
}

export interface HoleEnd {
  /** Everything before is NUL. */
  readonly at: number;
  /** `text`: there is something else at `at`; `end`: the file ends there; `more`: not known yet, ask again from `at`. */
  readonly kind: "text" | "end" | "more";
}

/** Looks for the end of the NULs that lie at `from`, at most `MOST_A_TURN` of them. */
export async function holeEnd(file: OpenFile, from: number, ask = nextData): Promise<HoleEnd> {
  const buffer = Buffer.allocUnsafe(BLOCK);
  let [at, asked] = [from, from];
  while (at - from < MOST_A_TURN) {
    const count = await file.read(buffer, at);
    if (count === 0) return { at, kind: "end" };
    const text = writtenFrom(buffer.subarray(0, count));
    at += text;
    if (text < count) return { at, kind: "text" };
    if (at - asked < ASK_AFTER) continue;
    const data = await ask(file, at);
    at = Math.max(at, data ?? at);
    asked = at;
    if (data !== undefined) return { at, kind: "more" };
  }
  return { at, kind: "more" };
}

/**
 * Where data begins at or after `position`, as the filesystem knows it. lseek(SEEK_DATA) is not to be had in Node; Perl,
 * which every Debian has, does it through our descriptor in /proc. The end of the file when there is no data; undefined where that does not work.
 */
function nextData(file: OpenFile, position: number): Promise<number | undefined> {
  const leave = file.use();
  return new Promise((resolve) => {
    const child = execFile(
      "perl",
      [
        "-e",
        "open(my $f,'<',$ARGV[0]) or exit 1; my $p=sysseek($f,$ARGV[1],3); print $p ? 0+$p : $!==6 ? -s $f : 0",
        `/proc/${process.pid}/fd/${file.fd}`,
        String(position),
      ],
      { timeout: 5000 },
      (error, output) => {
        leave();
        const found = Number(output);
        resolve(error === null && output !== "" && Number.isSafeInteger(found) && found > position ? found : undefined);
      },
    );
    child.stdin?.end();
  });
}
