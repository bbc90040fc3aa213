/**
 * The same text in a string of its own. V8 keeps a string that was put together as its pieces, and one that was cut out as a
 * part of the whole: of a path of 200 letters that is kept for long, some 400 bytes, or 200 for the last 40 of them.
 */
export function flatText(text: string): string {
  const copy = Buffer.from(text).toString();
  // Half a surrogate pair does not come back.
  return copy === text ? copy : text;
}
