/** Numbers of a chunk. A power of two: a column grows by chunks, and what is in it is never copied. */
const BITS = 12;
const MASK = 2 ** BITS - 1;

/**
 * Numbers by their index, outside of the JavaScript heap: the collector looks at none of them. For what there may be
 * hundreds of thousands of, for long.
 */
export class Column {
  readonly #chunk: (length: number) => Uint32Array | Float64Array;
  readonly #chunks: (Uint32Array | Float64Array)[] = [];

  private constructor(chunk: (length: number) => Uint32Array | Float64Array) {
    this.#chunk = chunk;
  }

  /** Of whole numbers from 0 to 2^32 - 1; others are cut off. Four bytes each. */
  static ofCounts(): Column {
    return new Column((length) => new Uint32Array(length));
  }

  /** Of any numbers, eight bytes each. */
  static ofNumbers(): Column {
    return new Column((length) => new Float64Array(length));
  }

  /** Undefined behind the last chunk, 0 where nothing was set. */
  get(index: number): number | undefined {
    return this.#chunks[index >>> BITS]?.[index & MASK];
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> BITS) this.#chunks.push(this.#chunk(MASK + 1));
    (this.#chunks[index >>> BITS] as Uint32Array)[index & MASK] = value;
  }

  /** Gives back what it takes. */
  clear(): void {
    this.#chunks.length = 0;
  }
}
