import type { FileOwner } from "./owner.ts";

/** What shows a real path, and whose it is. */
interface Shown {
  readonly virtuals: readonly string[];
  readonly owner: FileOwner;
}

/**
 * What is attached: virtual paths and the real ones that they show. A tree that is deleted takes all its sandboxes with
 * it, and there may be 50,000: the real paths are kept in order, so that those below a folder stand side by side.
 */
export class Roots {
  readonly #realOf = new Map<string, string>();
  readonly #shown = new Map<string, Shown>();
  /** The keys of #shown, sorted. */
  readonly #reals: string[] = [];

  attach(real: string, virtual: string, owner: FileOwner): void {
    if (this.#realOf.get(virtual) === real) return;
    this.detach(virtual);
    this.#realOf.set(virtual, real);
    const others = this.#shown.get(real);
    this.#shown.set(real, { virtuals: [...(others?.virtuals ?? []), virtual], owner });
    if (others === undefined) this.#reals.splice(this.#firstFrom(real), 0, real);
  }

  detach(virtual: string): void {
    const real = this.#realOf.get(virtual);
    if (real === undefined) return;
    this.#realOf.delete(virtual);
    const shown = this.#shown.get(real);
    const left = (shown?.virtuals ?? []).filter((other) => other !== virtual);
    if (shown !== undefined && left.length > 0) this.#shown.set(real, { ...shown, virtuals: left });
    else this.#forget(this.#firstFrom(real), 1);
  }

  /** Takes away whatever shows `real` or something below it. */
  detachBelow(real: string): void {
    const at = this.#firstFrom(real);
    if (this.#reals[at] === real) this.#forget(at, 1);
    // Not simply the next ones: `a-b` sorts between `a` and `a/b`.
    const below = `${real}/`;
    const start = this.#firstFrom(below);
    let end = start;
    while (this.#reals[end]?.startsWith(below)) end++;
    this.#forget(start, end - start);
  }

  realOf(virtual: string): string | undefined {
    return this.#realOf.get(virtual);
  }

  /** Whose a real path is that is attached itself. */
  ownerOf(real: string): FileOwner | undefined {
    return this.#shown.get(real)?.owner;
  }

  /** Virtual paths and where they lead, in no order. */
  entries(): Iterable<[string, string]> {
    return this.#realOf;
  }

  #forget(at: number, count: number): void {
    for (const real of this.#reals.splice(at, count)) {
      for (const virtual of this.#shown.get(real)?.virtuals ?? []) this.#realOf.delete(virtual);
      this.#shown.delete(real);
    }
  }

  /** Index of the first real path that is `path` or sorts behind it. */
  #firstFrom(path: string): number {
    let [low, high] = [0, this.#reals.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#reals[middle] as string) < path) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
