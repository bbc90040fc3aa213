/** Files of the agent in parts: their size, their bytes, and where words are in them. */
import { ask, askJson, query } from "./ask.js";

/** What one request reads: the agent gives no more. */
export const PART = 64 * 1024;
/** Requests at once while a file is searched; browsers open six connections. */
const AT_ONCE = 5;

/** The bytes as characters 0 to 255. The agent puts them into its JSON as they are, so they are counted before they are decoded. */
async function readCharacters(path, offset, length, leave) {
  const response = await ask(query("files/read", { path, offset, length }), leave);
  const answer = new Uint8Array(await response.arrayBuffer());
  let text = "";
  for (let at = 0; at < answer.length; at += 8192) text += String.fromCharCode(...answer.subarray(at, at + 8192));
  return JSON.parse(text).data;
}

export async function readPart(path, offset, length, leave) {
  const characters = await readCharacters(path, offset, length, leave);
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

export async function sizeOf(path, leave) {
  return (await askJson(query("files/read", { path, offset: -1 }), leave)).offset;
}

/** The words as the bytes that a file has, small letters for large ones. */
const bytesOf = (words) => String.fromCharCode(...new TextEncoder().encode(words)).toLowerCase();

/**
 * The byte where `words` begin next, from `from` on to `until`, or before `from` back to `until` (`isBackward`); undefined
 * when they are not there. Large and small letters are the same. `progress` is told the byte that has been reached.
 */
export async function find(path, words, { from, until, isBackward }, leave, progress) {
  const wanted = bytesOf(words);
  const overlap = wanted.length - 1;
  const batch = PART * AT_ONCE;
  for (let at = from; isBackward ? at > until : at < until; at += isBackward ? -batch : batch) {
    const begin = isBackward ? Math.max(until, at - batch) : at;
    const end = (isBackward ? at : Math.min(until, at + batch)) + overlap;
    const offsets = [];
    for (let offset = begin; offset < end; offset += PART) offsets.push(offset);
    const parts = await Promise.all(
      offsets.map((offset) => readCharacters(path, offset, Math.min(PART, end - offset), leave)),
    );
    const text = parts.join("").toLowerCase();
    const index = isBackward ? text.lastIndexOf(wanted, at - begin - 1) : text.indexOf(wanted);
    if (index >= 0) return begin + index;
    progress(begin);
  }
  return undefined;
}
