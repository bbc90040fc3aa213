import { type Glance, glanceAt, sameGlance } from "../model/content.ts";
import type { Source } from "../model/source.ts";
import { isArchive } from "./survey.ts";

/**
 * Where the paths of the patterns led at the last scan. A file of which nothing has changed is known by what its name says
 * alone: most files of most scans are, and one system call each is all that they cost.
 */
export class Leads {
  readonly #byPath = new Map<string, Source>();

  to(path: string): Source | undefined {
    return this.#byPath.get(path);
  }

  note(path: string, source: Source): void {
    this.#byPath.set(path, source);
  }

  /** What `path` says now, and the open file that it led to, if it does so still and nothing of it has changed. */
  follow(path: string): { readonly glance: Glance | undefined; readonly unchanged: Source | undefined } {
    const glance = glanceAt(path);
    return { glance, unchanged: glance === undefined ? undefined : this.#unchanged(path, glance) };
  }

  /** While a file is open its inode is not given to another one. */
  #unchanged(path: string, glance: Glance): Source | undefined {
    const source = this.#byPath.get(path);
    const before = source?.file?.glance;
    if (source === undefined || before === undefined || !sameGlance(before, glance)) return undefined;
    if (source.path === undefined || source.stage === "draining") return undefined;
    return source.compressed === isArchive(path) ? source : undefined;
  }

  keepOnly(paths: ReadonlyMap<string, unknown>): void {
    for (const path of this.#byPath.keys()) if (!paths.has(path)) this.#byPath.delete(path);
  }
}
