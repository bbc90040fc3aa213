import { randomBytes } from "node:crypto";
import { Column } from "./column.ts";
import { PackedPages } from "./packed-pages.ts";

/** How a text was written: the first byte. */
const KINDS = { utf8: 0, withUuid: 1, utf16: 2 } as const;
/** Letters of a UUID, which containers are named by. */
const UUID_LETTERS = 36;
const UUID_BYTES = 16;
const DASH = 45;
/** Where its dashes stand. */
const DASHES = [8, 13, 18, 23];
const BEYOND_ASCII = 128;

let scratch = Buffer.allocUnsafeSlow(1024);

/**
 * Writes a text into `scratch`, and returns the bytes that it takes. Letter by letter: a call of Buffer's own takes longer
 * than the fifty letters that most of them have.
 */
function write(text: string): number {
  const letters = text.length;
  if (scratch.length < 3 * letters + 1) scratch = Buffer.allocUnsafeSlow(6 * letters);
  for (let at = 0; at < letters; at++) {
    const code = text.charCodeAt(at);
    if (code >= BEYOND_ASCII) return writeAny(text);
    scratch[at + 1] = code;
  }
  const start = letters - UUID_LETTERS + 1;
  const isNamed = start > 0 && packUuid(start);
  scratch[0] = isNamed ? KINDS.withUuid : KINDS.utf8;
  return isNamed ? start + UUID_BYTES : letters + 1;
}

function writeAny(text: string): number {
  // Half a surrogate pair has no UTF-8.
  const [kind, encoding] = text.isWellFormed() ? [KINDS.utf8, "utf8" as const] : [KINDS.utf16, "utf16le" as const];
  scratch[0] = kind;
  return 1 + scratch.write(text, 1, encoding);
}

/** The value of a hexadecimal digit as UUIDs have them; -1 of another letter. */
function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** Makes 16 bytes of a UUID that `scratch` has at `start`; false, with nothing changed, when it is none. */
function packUuid(start: number): boolean {
  for (const dash of DASHES) if (scratch[start + dash] !== DASH) return false;
  for (let at = 0; at < UUID_LETTERS; at++)
    if (digit(scratch[start + at] as number) < 0 && !DASHES.includes(at)) return false;
  let [from, to] = [start, start];
  while (from < start + UUID_LETTERS) {
    if (scratch[from] === DASH) from++;
    scratch[to++] = 16 * digit(scratch[from] as number) + digit(scratch[from + 1] as number);
    from += 2;
  }
  return true;
}

function read(bytes: Buffer, start: number, length: number): string {
  const [from, end] = [start + 1, start + length];
  if (bytes[start] === KINDS.utf16) return bytes.toString("utf16le", from, end);
  if (bytes[start] === KINDS.utf8) return bytes.toString("utf8", from, end);
  const hex = bytes.toString("hex", end - UUID_BYTES, end);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  return bytes.toString("utf8", from, end - UUID_BYTES) + uuid;
}

/**
 * Texts by numbers that it gives them, outside of the JavaScript heap: 12 bytes each beside its letters, of which a UUID at the
 * end takes 16. Numbers are small, and given again after their texts were deleted.
 */
export class TextPool {
  readonly #places = Column.ofCounts();
  readonly #pages = new PackedPages((number, place) => this.#places.set(number, place));
  /** Numbers that were given so far; of those, the ones that are free are chained, each as 1 more. */
  #given = 0;
  #free = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes that the pages of its texts take. */
  get pageBytes(): number {
    return this.#pages.size;
  }

  add(text: string): number {
    return this.addWritten(write(text));
  }

  /** Keeps what is written in `scratch`. */
  addWritten(length: number): number {
    const isNew = this.#free === 0;
    const number = isNew ? this.#given : this.#free - 1;
    const place = this.#pages.add(number, scratch, length);
    if (isNew) this.#given++;
    else this.#free = this.#places.get(number) as number;
    this.#places.set(number, place);
    this.#size++;
    return number;
  }

  text(number: number): string {
    const place = this.#place(number);
    return read(this.#pages.bytes(place), this.#pages.start(place), this.#pages.length(place));
  }

  delete(number: number): void {
    this.#pages.delete(this.#place(number));
    this.#places.set(number, this.#free);
    this.#free = number + 1;
    if (--this.#size > 0) return;
    this.#places.clear();
    [this.#given, this.#free] = [0, 0];
  }

  /** Whether a text is the one that is written in `scratch`. */
  equals(number: number, length: number): boolean {
    const place = this.#place(number);
    if (this.#pages.length(place) !== length) return false;
    const start = this.#pages.start(place);
    const bytes = this.#pages.bytes(place);
    // From the end: the beginnings are often the same.
    for (let at = length - 1; at >= 0; at--) if (bytes[start + at] !== scratch[at]) return false;
    return true;
  }

  hash(number: number): number {
    const place = this.#place(number);
    return hashOf(this.#pages.bytes(place), this.#pages.start(place), this.#pages.length(place));
  }

  #place(number: number): number {
    return this.#places.get(number) as number;
  }
}

/** Others choose the texts: where they fall is not to be foreseen. */
const SEED = randomBytes(4).readUInt32LE();

/** FNV-1a, and a mix of its bits, as the low and the high ones choose different things. */
function hashOf(bytes: Buffer, start: number, length: number): number {
  let hash = SEED;
  for (let at = start; at < start + length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Tables that grow and shrink for themselves: none of them takes long for it. */
const SHARDS = 64;
const SMALLEST = 8;

interface Shard {
  /** Numbers, each as 1 more; 0 is an empty cell. The length is a power of two. */
  cells: Uint32Array;
  count: number;
}

/** A set of texts by numbers, as TextPool has them, each at most once: 6 to 12 bytes more, to find them. */
export class PackedTexts {
  readonly #pool = new TextPool();
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ cells: new Uint32Array(0), count: 0 }));

  get size(): number {
    return this.#pool.size;
  }

  /** The number of a text; undefined when it is not there. */
  find(text: string): number | undefined {
    const length = write(text);
    return this.#find(length, hashOf(scratch, 0, length));
  }

  /** The number of a text, which it gets now when it has none. */
  add(text: string): number {
    const length = write(text);
    const hash = hashOf(scratch, 0, length);
    const known = this.#find(length, hash);
    if (known !== undefined) return known;
    const number = this.#pool.addWritten(length);
    const shard = this.#shardOf(hash);
    if (4 * (shard.count + 1) > 3 * shard.cells.length) this.#resize(shard, Math.max(SMALLEST, 2 * shard.cells.length));
    this.#enter(shard, number, hash);
    shard.count++;
    return number;
  }

  text(number: number): string {
    return this.#pool.text(number);
  }

  delete(number: number): void {
    const hash = this.#pool.hash(number);
    const shard = this.#shardOf(hash);
    const mask = shard.cells.length - 1;
    let at = hash & mask;
    while (shard.cells[at] !== number + 1) at = (at + 1) & mask;
    this.#close(shard, at);
    shard.count--;
    this.#pool.delete(number);
    if (shard.count === 0) shard.cells = new Uint32Array(0);
    else if (shard.cells.length > SMALLEST && 8 * shard.count < shard.cells.length)
      this.#resize(shard, shard.cells.length / 2);
  }

  #shardOf(hash: number): Shard {
    return this.#shards[hash >>> 26] as Shard;
  }

  #find(length: number, hash: number): number | undefined {
    const { cells, count } = this.#shardOf(hash);
    if (count === 0) return undefined;
    const mask = cells.length - 1;
    for (let at = hash & mask; cells[at] !== 0; at = (at + 1) & mask) {
      const number = (cells[at] as number) - 1;
      if (this.#pool.equals(number, length)) return number;
    }
    return undefined;
  }

  #enter({ cells }: Shard, number: number, hash: number): void {
    const mask = cells.length - 1;
    let at = hash & mask;
    while (cells[at] !== 0) at = (at + 1) & mask;
    cells[at] = number + 1;
  }

  /** Empties a cell. Those behind it that stand where they do because it was taken come forward. */
  #close({ cells }: Shard, from: number): void {
    const mask = cells.length - 1;
    let gap = from;
    for (let at = (gap + 1) & mask; cells[at] !== 0; at = (at + 1) & mask) {
      const wanted = this.#pool.hash((cells[at] as number) - 1) & mask;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      cells[gap] = cells[at] as number;
      gap = at;
    }
    cells[gap] = 0;
  }

  #resize(shard: Shard, length: number): void {
    const before = shard.cells;
    shard.cells = new Uint32Array(length);
    for (const cell of before) if (cell !== 0) this.#enter(shard, cell - 1, this.#pool.hash(cell - 1));
  }
}
