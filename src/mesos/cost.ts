import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/**
 * What a body would cost to decode, found without decoding it. Two bytes of protobuf (an empty element, a field that nobody
 * knows) become an object of a hundred; a bracket of JSON likewise. What strangers send is counted first.
 */

/** Objects that a call or message of somebody who is not the master may become. Far above every real one. */
export const MOST_OBJECTS = 50_000;
/** The same for what a master sends: a list of all tasks is among it. */
export const MOST_OBJECTS_OF_MASTER = 1_000_000;
/** As protobuf's own limit: what a body may nest. */
export const DEEPEST = 100;

/** What a field's records cost: `one` object each, besides its bytes; below `child` are more fields. */
interface FieldPlan {
  readonly one: number;
  readonly child: Plan | undefined;
  /** A list of numbers, which may lie side by side in one record. */
  readonly numbers: boolean;
}
type Plan = ReadonlyMap<number, FieldPlan>;

const plans = new WeakMap<DescMessage, Plan>();

function planOf(descriptor: DescMessage): Plan {
  const known = plans.get(descriptor);
  if (known !== undefined) return known;
  const made = new Map<number, FieldPlan>();
  // Known before its fields are, for types that contain themselves.
  plans.set(descriptor, made);
  for (const field of descriptor.fields) made.set(field.number, fieldPlan(field));
  return made;
}

function fieldPlan(field: DescField): FieldPlan {
  const child = field.fieldKind === "scalar" || field.message === undefined ? undefined : planOf(field.message);
  if (field.fieldKind === "map") {
    const value = { one: child === undefined ? 0 : 1, child, numbers: false };
    return { one: 1, child: new Map([[2, value]]), numbers: false };
  }
  const isList = field.fieldKind === "list";
  const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  return { one: isList || child !== undefined ? 1 : 0, child, numbers: isList && child === undefined && !isText };
}

const CUT_OFF = "it is cut off or malformed";
const UNKNOWN: FieldPlan = { one: 1, child: undefined, numbers: false };

/** A walk over the fields of a body; nothing is kept of them but their number. */
class Walk {
  readonly #bytes: Uint8Array;
  readonly #most: number;
  #at = 0;
  #objects = 0;

  constructor(bytes: Uint8Array, most: number) {
    this.#bytes = bytes;
    this.#most = most;
  }

  /** What is wrong with the fields up to `end`; undefined: nothing. */
  problem(plan: Plan, end: number, depth: number): string | undefined {
    if (depth > DEEPEST) return "nested too deeply";
    while (this.#at < end) {
      const tag = this.#varint(end);
      if (tag < 8) return CUT_OFF;
      const wire = tag % 8;
      const field = plan.get(Math.floor(tag / 8)) ?? UNKNOWN;
      this.#objects += field.one;
      if (this.#objects > this.#most) return `more than ${this.#most} objects`;
      const problem = wire === 2 ? this.#delimited(field, end, depth) : this.#fixed(wire, end);
      if (problem !== undefined) return problem;
    }
    return this.#at === end ? undefined : CUT_OFF;
  }

  #delimited(field: FieldPlan, end: number, depth: number): string | undefined {
    const length = this.#varint(end);
    if (length < 0 || length > end - this.#at) return CUT_OFF;
    if (field.child !== undefined) return this.problem(field.child, this.#at + length, depth + 1);
    // Numbers are small: eight of them for an object.
    if (field.numbers) this.#objects += length >> 3;
    this.#at += length;
    return undefined;
  }

  #fixed(wire: number, end: number): string | undefined {
    if (wire === 0) return this.#varint(end) < 0 ? CUT_OFF : undefined;
    // Groups are older than Mesos, and no message of its has one.
    if (wire !== 1 && wire !== 5) return "it has a group";
    this.#at += wire === 1 ? 8 : 4;
    return this.#at > end ? CUT_OFF : undefined;
  }

  /** A varint as a number (rounded beyond 2^53); -1 when there is none. */
  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10 && this.#at < end; count++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return -1;
  }
}

/**
 * Why a protobuf body must not be decoded: it would become more than `most` objects (messages, elements of lists, entries of
 * maps, fields that nobody knows), nests too deeply, or is no protobuf. undefined: it may. Takes a pass over its tags.
 */
export function wireProblem(schema: DescMessage, bytes: Uint8Array, most: number): string | undefined {
  return new Walk(bytes, most).problem(planOf(schema), bytes.length, 1);
}

/** Digits of a number: longer ones take their length squared to read. */
const LONGEST_NUMBER = 1_000;
const [ZERO, NINE] = [0x30, 0x39];
const [QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN, CLOSE] = [0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d];

/** The same for a JSON text in UTF-8: values are counted. What is no JSON is left to the parser. Takes a pass over it. */
export function jsonProblem(text: Uint8Array, most: number): string | undefined {
  let [values, depth, digits, inString] = [0, 0, 0, false];
  for (let index = 0; index < text.length; index++) {
    const byte = text[index] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inString = false;
    } else if (byte >= ZERO && byte <= NINE) {
      if (++digits > LONGEST_NUMBER) return `a number of more than ${LONGEST_NUMBER} digits`;
    } else if (byte === QUOTE) inString = true;
    else if (byte === CLOSE || byte === CLOSE_LIST) depth--;
    else if (byte === COMMA || byte === OPEN || byte === OPEN_LIST) {
      if (++values > most) return `more than ${most} values`;
      digits = 0;
      if (byte !== COMMA && ++depth > DEEPEST) return "nested too deeply";
    }
  }
  return undefined;
}
