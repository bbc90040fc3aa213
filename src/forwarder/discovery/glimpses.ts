import { type FileFacts, factsAt } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { keyOf } from "../model/source.ts";

/** Files that are open between the moment they are noticed and the next scan, at most. */
const MOST = 8192;

export interface Glimpse {
  readonly path: string;
  readonly file: OpenFile;
  readonly facts: FileFacts;
}

/**
 * Files that were opened the moment their name appeared, before a scan says what they are: one that lives for a tenth of
 * a second is read nevertheless.
 */
export class Glimpses {
  readonly #byKey = new Map<string, Glimpse>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Opens what lies at `path` if it is a file that `isKnown` does not know. False when nothing could be opened there. */
  take(path: string, isKnown: (facts: FileFacts) => boolean): boolean {
    if (this.#byKey.size >= MOST) return false;
    const facts = factsAt(path);
    if (facts === undefined) return false;
    if (facts.kind !== "file" || this.#byKey.has(keyOf(facts.identity)) || isKnown(facts)) return true;
    try {
      const file = OpenFile.at(path, facts.identity);
      if (file !== undefined) this.#byKey.set(keyOf(facts.identity), { path, file, facts });
      return file !== undefined;
    } catch {
      // The scan says why it cannot be read, if it still lies there.
      return false;
    }
  }

  /** Hands over those there are; nothing is kept. */
  drain(): Map<string, Glimpse> {
    const all = new Map(this.#byKey);
    this.#byKey.clear();
    return all;
  }

  close(): void {
    for (const { file } of this.drain().values()) file.close();
  }
}
