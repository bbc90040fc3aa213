/** Bytes of a page. What is longer gets one of its own. */
const PAGE = 2 ** 16;
/** In front of each piece: four bytes that say whose it is, three with its length. */
const HEAD = 7;
const LONGEST = 2 ** 24 - 1;
const NOBODY = 2 ** 32 - 1;
/** A page of which less than this part is in use is given up, and the rest of its pieces moved. */
const WORTH = 0.5;

interface Page {
  readonly bytes: Buffer;
  /** Bytes from the start that pieces have taken. */
  used: number;
  /** Bytes of those that are in use. */
  live: number;
}

/**
 * Pieces of bytes, side by side in pages outside of the JavaScript heap: seven bytes a piece beside its own. At most half of
 * what it takes is not in use: pages are given up when little is left in them.
 */
export class PackedPages {
  readonly #pages: (Page | undefined)[] = [];
  /** Numbers that no page has any more. */
  readonly #free: number[] = [];
  readonly #moved: (owner: number, place: number) => void;
  /** The number of that which is being filled. */
  #current = -1;

  /** `moved` hears where the piece of an owner is from now on. */
  constructor(moved: (owner: number, place: number) => void) {
    this.#moved = moved;
  }

  /** Bytes that its pages take. */
  get size(): number {
    return this.#pages.reduce((sum, page) => sum + (page?.bytes.length ?? 0), 0);
  }

  /** Keeps the first `length` of `bytes` for `owner`, below 2^32 - 1. Returns the place. Throws a RangeError beyond 16 MB. */
  add(owner: number, bytes: Buffer, length: number): number {
    if (length > LONGEST) throw new RangeError(`${length} bytes are more than a piece may have (${LONGEST})`);
    const page = this.#roomFor(HEAD + length);
    const at = page.used;
    page.bytes.writeUInt32LE(owner, at);
    page.bytes.writeUIntLE(length, at + 4, 3);
    // Not copy(): most are short.
    for (let index = 0; index < length; index++) page.bytes[at + HEAD + index] = bytes[index] as number;
    page.used += HEAD + length;
    page.live += HEAD + length;
    return this.#current * PAGE + at;
  }

  delete(place: number): void {
    const number = Math.floor(place / PAGE);
    const page = this.#page(place);
    const at = place % PAGE;
    page.live -= HEAD + page.bytes.readUIntLE(at + 4, 3);
    page.bytes.writeUInt32LE(NOBODY, at);
    if (number === this.#current) {
      if (page.live === 0) page.used = 0;
    } else if (page.live === 0) this.#giveUp(number);
    else if (page.live < WORTH * page.used) this.#moveFrom(number, page);
  }

  /** The page that a piece is in; `start` and `length` say where. Until the next change. */
  bytes(place: number): Buffer {
    return this.#page(place).bytes;
  }

  start(place: number): number {
    return (place % PAGE) + HEAD;
  }

  length(place: number): number {
    return this.#page(place).bytes.readUIntLE((place % PAGE) + 4, 3);
  }

  #page(place: number): Page {
    return this.#pages[Math.floor(place / PAGE)] as Page;
  }

  #roomFor(length: number): Page {
    const current = this.#pages[this.#current];
    if (current !== undefined && current.used + length <= current.bytes.length) return current;
    const page = { bytes: Buffer.allocUnsafeSlow(Math.max(PAGE, length)), used: 0, live: 0 };
    this.#current = this.#free.pop() ?? this.#pages.length;
    this.#pages[this.#current] = page;
    return page;
  }

  #moveFrom(number: number, page: Page): void {
    for (let at = 0; at < page.used; ) {
      const owner = page.bytes.readUInt32LE(at);
      const length = page.bytes.readUIntLE(at + 4, 3);
      const start = at + HEAD;
      at = start + length;
      if (owner !== NOBODY) this.#moved(owner, this.add(owner, page.bytes.subarray(start, at), length));
    }
    this.#giveUp(number);
  }

  #giveUp(number: number): void {
    this.#pages[number] = undefined;
    this.#free.push(number);
  }
}
