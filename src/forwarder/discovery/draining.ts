import { enter } from "../model/lifecycle.ts";
import type { Source } from "../model/source.ts";

/** The few sources whose name is gone or leads elsewhere: without a list of their own, all files are gone through for them. */
export class Draining {
  readonly #sources = new Set<Source>();

  add(source: Source): void {
    enter(source, "draining");
    this.#sources.add(source);
  }

  /** Those that are in that stage still. */
  current(): Source[] {
    for (const source of this.#sources) if (source.stage !== "draining") this.#sources.delete(source);
    return [...this.#sources];
  }
}
