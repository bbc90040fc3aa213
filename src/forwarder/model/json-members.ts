/**
 * A JSON object as its text: numbers keep their digits (beyond 2^53, `1.0`, `1e400`), texts their escapes, keys their
 * order and number. Parsing and writing it again would change all of them.
 */
export interface JsonMember {
  readonly key: string;
  /** `"key":value` as it stands in the text. */
  readonly text: string;
  /** The value as it stands in the text. */
  readonly value: string;
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

/** Index after the string that begins at `at`. The text is valid JSON. */
function afterString(text: string, at: number): number {
  let index = at + 1;
  while (text.charCodeAt(index) !== 0x22) index += text.charCodeAt(index) === 0x5c ? 2 : 1;
  return index + 1;
}

function skipBlanks(text: string, at: number): number {
  let index = at;
  while (isBlank(text.charCodeAt(index))) index++;
  return index;
}

/** Index after the value that begins at `at`. The text is valid JSON. */
function afterValue(text: string, at: number): number {
  let depth = 0;
  let index = at;
  for (;;) {
    const character = text[index];
    if (character === '"') index = afterString(text, index);
    else if (character === "{" || character === "[") {
      depth++;
      index++;
    } else if (character === "}" || character === "]") {
      if (depth === 0) return index;
      depth--;
      index++;
    } else if (character === "," && depth === 0) return index;
    else index++;
    if (depth === 0 && (character === '"' || character === "}" || character === "]")) return index;
  }
}

/** The members of the one JSON object that `text` is, in order, doubled keys too; undefined when it is something else. */
export function membersOf(text: string): JsonMember[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  } catch {
    return undefined;
  }
  const members: JsonMember[] = [];
  let at = skipBlanks(text, text.indexOf("{") + 1);
  while (text[at] === '"') {
    const keyEnd = afterString(text, at);
    const start = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const end = afterValue(text, start);
    const value = text.slice(start, end).trimEnd();
    const quoted = text.slice(at, keyEnd);
    members.push({ key: JSON.parse(quoted) as string, text: `${quoted}:${value}`, value });
    at = skipBlanks(text, end);
    if (text[at] === ",") at = skipBlanks(text, at + 1);
  }
  return members;
}

/** A member made here. */
export function memberOf(key: string, value: string | number): JsonMember {
  const text = JSON.stringify(typeof value === "string" ? value.toWellFormed() : value);
  return { key, text: `${JSON.stringify(key.toWellFormed())}:${text}`, value: text };
}

/** A value as a receiver of texts only gets it: texts without quotes and escapes, anything else as it stands. */
export const plainValue = ({ value }: JsonMember): string =>
  value.startsWith('"') ? (JSON.parse(value) as string) : value;
