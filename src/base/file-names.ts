/**
 * File names are bytes, and not always UTF-8. Inside the program a path is a string all the same: a byte that is no UTF-8
 * stands in it as a lone surrogate (U+DC80 to U+DCFF, as Python's `surrogateescape` has it), which survives JSON.
 */
import { isUtf8 } from "node:buffer";

const ESCAPED = 0xdc00;

/** Bytes of the UTF-8 character that begins with `lead`; 1 for a byte that begins none. */
const widthOf = (lead: number): number => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1);

/** A name as the system gave it, as the program keeps it. */
export function pathOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] as number;
    const character = bytes.subarray(at, at + widthOf(lead));
    if (isUtf8(character)) {
      text += character.toString("utf8");
      at += character.length;
    } else {
      text += String.fromCharCode(ESCAPED + lead);
      at++;
    }
  }
  return text;
}

const isEscaped = (code: number): boolean => code >= ESCAPED + 0x80 && code <= ESCAPED + 0xff;

/** The bytes of a path: the reverse of `pathOf`. */
export function bytesOf(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path);
  const parts: Buffer[] = [];
  // Iterating gives whole characters, so a lone surrogate is one that stands alone.
  for (const character of path) {
    const code = character.charCodeAt(0);
    parts.push(character.length === 1 && isEscaped(code) ? Buffer.from([code - ESCAPED]) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

/** A path as the system's calls take it. */
export const onDisk = (path: string): string | Buffer => (path.isWellFormed() ? path : bytesOf(path));
