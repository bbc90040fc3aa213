import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Source } from "../model/source.ts";

/** Paths that are not followed, and why that was said already: neither is asked or said again until something changes. */
export class Refusals {
  readonly #log: Logger;
  /** With the change time of what lies there. */
  readonly #refused = new Map<string, string>();
  readonly #told = new Set<string>();
  /** Those of which an attempt failed the last time. */
  readonly #failing = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `changed`: the change time of the file that is not followed. */
  refuse(path: string, changed: string): void {
    this.#refused.set(path, changed);
  }

  isRefused(path: string, changed: string): boolean {
    return this.#refused.get(path) === changed;
  }

  tellOnce(path: string, message: string): void {
    if (this.#isNew(path)) this.#log.warn(message);
  }

  /** As an error: what should be shipped cannot be. */
  failOnce(path: string, message: string): void {
    if (this.#isNew(path)) this.#log.error(message);
  }

  /**
   * Does what may fail for one file alone: a bad block, a network filesystem whose server is gone. That is said once, until
   * it works again, and the other files go on. Undefined when it failed.
   */
  attempt<Result>(path: string, action: () => Result): Result | undefined {
    try {
      const result = action();
      if (this.#failing.delete(path)) this.#told.delete(path);
      return result;
    } catch (error) {
      this.#failing.add(path);
      this.failOnce(path, `cannot read '${path}': ${messageOf(error)}`);
      return undefined;
    }
  }

  #isNew(path: string): boolean {
    return this.#told.size < this.#told.add(path).size;
  }

  /** `path`, of the entry `group`, is another name of `source`: of another entry's when a link came after they were told apart. */
  shared(path: string, group: number, source: Pick<Source, "name" | "group">): void {
    if (source.group === group || source.group < 0) return;
    this.tellOnce(
      path,
      `'${path}' is the file that another entry of 'files' follows as '${source.name}': it goes out with the fields of that one until the configuration is read again`,
    );
  }

  /** It is followed now: the next complaint is a new one. */
  followed(path: string): void {
    this.#told.delete(path);
  }

  /** Forgets what no pattern leads to any more. */
  keepOnly(paths: ReadonlyMap<string, unknown>): void {
    for (const path of this.#refused.keys()) if (!paths.has(path)) this.#refused.delete(path);
    for (const path of this.#told) if (!paths.has(path)) this.#told.delete(path);
    for (const path of this.#failing) if (!paths.has(path)) this.#failing.delete(path);
  }
}
