import { readdir } from "node:fs/promises";
import { pathOf as textOf } from "../../../base/file-names.ts";
import { NotHeld } from "./descriptor.ts";

/** Names of files are bytes; answers in JSON and protobuf are UTF-8. Bytes that are not stand in them as U+FFFD. */
const UNKNOWN = "\u{FFFD}";
const LONE = /[\uD800-\uDFFF]/gu;

const escaped = (name: string): string =>
  name.replaceAll(LONE, (half) => `\\x${(half.charCodeAt(0) & 0xff).toString(16).padStart(2, "0")}`);

/**
 * How the names of one folder are shown, in their order; each as base/file-names.ts has it. A name that is UTF-8 is
 * itself; in others U+FFFD stands for a byte that is not. Where that would not tell two of them apart, it is `\xe9`.
 */
export function shownNames(names: readonly string[]): string[] {
  const odd = names.filter((name) => !name.isWellFormed());
  if (odd.length === 0) return [...names];
  const taken = new Map<string, number>();
  for (const name of names) taken.set(name.toWellFormed(), (taken.get(name.toWellFormed()) ?? 0) + 1);
  return names.map((name) => {
    if (name.isWellFormed()) return name;
    const plain = name.toWellFormed();
    return taken.get(plain) === 1 ? plain : escaped(name);
  });
}

/** What is in an opened folder, sorted; names that are not UTF-8 as base/file-names.ts has them. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { encoding: "buffer" });
  return names.map((name) => textOf(name)).sort();
}

const mayBeShown = (name: string): boolean => name.includes(UNKNOWN) || /\\x[89a-f][0-9a-f]/.test(name);

/**
 * The name of the entry of an opened folder that is shown as `shown`; undefined when there is none. Throws a NotHeld for
 * what several are shown as. For a name that is not there as it stands: a file whose name is UTF-8 is always itself.
 */
export async function nameShownAs(folder: string, shown: string): Promise<string | undefined> {
  if (!mayBeShown(shown)) return undefined;
  const odd = (await namesIn(folder)).filter((name) => !name.isWellFormed());
  const exact = odd.filter((name) => escaped(name) === shown);
  const found = exact.length > 0 ? exact : odd.filter((name) => name.toWellFormed() === shown);
  if (found.length > 1)
    throw new NotHeld(
      shown,
      `may be any of ${found.length} files: ask for ${found.slice(0, 3).map(escaped).join(" or ")}`,
    );
  return found[0];
}
