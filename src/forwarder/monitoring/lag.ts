import type { Source } from "../model/source.ts";

/** Sights of one source that are kept, at most: then every two are put together, and they are taken half as often. */
const MOST_SIGHTS = 128;
/** Milliseconds between two sights, at first. */
const SPACING = 500;

interface Sights {
  readonly list: readonly Sight[];
  readonly spacing: number;
}

interface Sight {
  /** Bytes that there were. */
  readonly size: number;
  /** Milliseconds since the epoch when the first of them was there that was not there before. */
  readonly at: number;
}

/**
 * How old the oldest byte is that is not acknowledged: when each source was seen to grow to which size is kept until that
 * is acknowledged. Exact to the moments at which it is looked at: whenever a change is noticed.
 */
export class Lag {
  readonly #sights = new WeakMap<Source, Sights>();

  /** Looks at what is known of the sources at `now`, milliseconds since the epoch. */
  observe(sources: Iterable<Source>, now: number): void {
    for (const source of sources) this.#see(source, Math.max(source.size, source.read), now);
  }

  /** Some of `source` was acknowledged: when that was all, nothing is kept of it. */
  settle(source: Source): void {
    if (Math.max(source.size, source.read) <= source.acked) this.#sights.delete(source);
  }

  /** Milliseconds since the oldest byte of `source` was there that is not acknowledged, of `size`; 0 when there is none. */
  ageOf(source: Source, size: number, now: number): number {
    this.#see(source, size, now);
    const first = this.#sights.get(source)?.list[0];
    return first === undefined ? 0 : Math.max(0, now - first.at);
  }

  #see(source: Source, size: number, now: number): void {
    const known = this.#sights.get(source);
    if (size <= source.acked) {
      if (known !== undefined) this.#sights.delete(source);
      return;
    }
    const spacing = known?.spacing ?? SPACING;
    // What lay there before it was first looked at is at least as old as its last change.
    const since = known === undefined && source.modified > 0 ? Math.min(now, source.modified) : now;
    const list = (known?.list ?? []).filter((sight) => sight.size > source.acked);
    const last = list.at(-1);
    if (last === undefined) list.push({ size, at: since });
    else if (size > last.size && now - last.at < spacing) list[list.length - 1] = { size, at: last.at };
    else if (size > last.size) list.push({ size, at: now });
    this.#sights.set(
      source,
      list.length > MOST_SIGHTS ? { list: halved(list), spacing: spacing * 2 } : { list, spacing },
    );
  }
}

/** Every two sights as one: from the time of the first, with the bytes of both. */
const halved = (sights: readonly Sight[]): Sight[] =>
  sights.flatMap((sight, index) =>
    index % 2 === 0 ? [{ at: sight.at, size: sights[index + 1]?.size ?? sight.size }] : [],
  );
