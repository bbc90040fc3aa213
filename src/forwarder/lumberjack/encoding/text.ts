/** Numbers and JSON strings written straight into bytes: the inner loop of the forwarder, so no string is made. */

const BILLION = 1_000_000_000;

function writeSmall(out: Uint8Array, at: number, value: number, digits: number): void {
  let rest = value;
  for (let index = at + digits - 1; index >= at; index--) {
    const next = (rest / 10) | 0;
    out[index] = 48 + rest - next * 10;
    rest = next;
  }
}

function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  if (value < 100_000_000) return 8;
  return 9;
}

/** Writes a whole number from 0 to 2^53 in decimal at `at`; returns the position after it. */
export function writeDecimal(out: Uint8Array, at: number, value: number): number {
  if (value < BILLION) {
    const digits = digitsOf(value);
    writeSmall(out, at, value, digits);
    return at + digits;
  }
  const high = Math.floor(value / BILLION);
  const next = writeDecimal(out, at, high);
  writeSmall(out, next, value - high * BILLION, 9);
  return next + 9;
}

/** 1 where a byte cannot stand in a JSON string as it is: controls, quote, backslash. */
export const needsEscape = new Uint8Array(256);
for (let byte = 0; byte < 0x20; byte++) needsEscape[byte] = 1;
needsEscape[0x22] = 1;
needsEscape[0x5c] = 1;

const hex = Buffer.from("0123456789abcdef");
const short = new Map([
  [0x08, 0x62],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0c, 0x66],
  [0x0d, 0x72],
  [0x22, 0x22],
  [0x5c, 0x5c],
]);

/** The most bytes that one byte becomes inside a JSON string. */
export const ESCAPED_MAXIMUM = 6;

/** Writes valid UTF-8 `[from, to)` of `text` as the inside of a JSON string; returns the position after it. */
export function writeEscaped(out: Uint8Array, start: number, text: Uint8Array, from: number, to: number): number {
  let at = start;
  for (let index = from; index < to; index++) {
    const byte = text[index] as number;
    if (needsEscape[byte] === 0) {
      out[at++] = byte;
      continue;
    }
    out[at++] = 0x5c;
    const letter = short.get(byte);
    if (letter !== undefined) {
      out[at++] = letter;
      continue;
    }
    out[at++] = 0x75;
    out[at++] = 0x30;
    out[at++] = 0x30;
    out[at++] = hex[byte >> 4] as number;
    out[at++] = hex[byte & 15] as number;
  }
  return at;
}
