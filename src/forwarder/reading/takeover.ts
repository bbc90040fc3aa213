import type { OpenFile } from "../model/open-file.ts";

/** A line may begin this far before an imported position. */
const RESYNC_BYTES = 65_536;
/** The lines of a file are counted up to this many bytes to find what an imported position meant. */
const COUNTED_BYTES = 1024 ** 3;
const BLOCK = 1_048_576;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Where to go on from a position of the old program, which counted `\r\n` as one byte: in the last line only, or, as its
 * oldest versions did, in every line. A position in the middle of a line otherwise goes back to where the line begins.
 */
export async function lineAfterImported(file: OpenFile, position: number): Promise<number> {
  if (position === 0) return 0;
  const from = Math.max(0, position - RESYNC_BYTES);
  const buffer = Buffer.alloc(position - from + 2);
  const bytes = buffer.subarray(0, await file.read(buffer, from));
  const index = position - from;
  const [before, here, next] = [bytes[index - 1], bytes[index], bytes[index + 1]];
  if (here === NEWLINE && before === RETURN) return position + 1;
  if (before === NEWLINE) return position;
  const counted = await countedPosition(file, position);
  if (counted !== undefined) return counted;
  if (here === RETURN && next === NEWLINE) return position + 2;
  const newline = bytes.subarray(0, index).lastIndexOf(NEWLINE);
  return newline === -1 && from > 0 ? position : from + newline + 1;
}

/** The line end that lies at `position` if each `\r\n` counts as one byte; undefined when none does. */
async function countedPosition(file: OpenFile, position: number): Promise<number | undefined> {
  const buffer = Buffer.allocUnsafe(BLOCK);
  let [returns, last] = [0, 0];
  for (let at = 0; at < Math.min(2 * position, COUNTED_BYTES); at += BLOCK) {
    const count = await file.read(buffer, at);
    for (
      let index = buffer.indexOf(NEWLINE);
      index !== -1 && index < count;
      index = buffer.indexOf(NEWLINE, index + 1)
    ) {
      if ((index === 0 ? last : buffer[index - 1]) === RETURN) returns++;
      const end = at + index + 1;
      if (end - returns === position) return end;
      if (end - returns > position) return undefined;
    }
    if (count < BLOCK) return undefined;
    last = buffer[count - 1] as number;
  }
  return undefined;
}
