import { create } from "@bufbuild/protobuf";
import {
  type Value_Ranges,
  Value_RangesSchema,
  type Value_Scalar,
  Value_ScalarSchema,
  type Value_Set,
  Value_SetSchema,
  Value_Type,
} from "./gen/mesos/v1/mesos_pb.ts";

/** How much of a resource: the algebra of Mesos' three value types. Immutable. */

export interface Range {
  readonly begin: bigint;
  /** Inclusive. */
  readonly end: bigint;
}

/** Scalars are fixed point with 3 decimals, held as thousandths, so that 0.1 + 0.2 is 0.3. */
export type Quantity =
  | { readonly kind: "scalar"; readonly thousandths: number }
  /** Sorted, neither overlapping nor adjacent. */
  | { readonly kind: "ranges"; readonly ranges: readonly Range[] }
  | { readonly kind: "set"; readonly items: ReadonlySet<string> };

/** A value as messages hold it: exactly one member besides `type` is set. */
export interface ValueLike {
  readonly type: Value_Type;
  readonly scalar?: Value_Scalar | undefined;
  readonly ranges?: Value_Ranges | undefined;
  readonly set?: Value_Set | undefined;
}

/** Thousandths of a scalar, rounded half away from zero as Mesos rounds. */
export const thousandthsOf = (value: number): number => Math.sign(value) * Math.round(Math.abs(value) * 1000);

export function scalarQuantity(value: number): Quantity {
  return { kind: "scalar", thousandths: thousandthsOf(value) };
}

/** Sorts, and joins ranges that overlap or touch. */
export function coalesce(ranges: Iterable<Range>): readonly Range[] {
  const sorted = [...ranges].sort((a, b) => (a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : 0));
  const joined: { begin: bigint; end: bigint }[] = [];
  for (const { begin, end } of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && begin <= last.end + 1n) {
      if (end > last.end) last.end = end;
    } else joined.push({ begin, end });
  }
  return joined;
}

/** What of `ranges` is outside `taken`; both coalesced. */
export function subtractRanges(ranges: readonly Range[], taken: readonly Range[]): readonly Range[] {
  const left: Range[] = [];
  let next = 0;
  for (const { begin, end } of ranges) {
    let from = begin;
    while (next < taken.length && (taken[next] as Range).end < from) next++;
    for (let index = next; index < taken.length; index++) {
      const hole = taken[index] as Range;
      if (hole.begin > end) break;
      if (hole.begin > from) left.push({ begin: from, end: hole.begin - 1n });
      if (hole.end + 1n > from) from = hole.end + 1n;
    }
    if (from <= end) left.push({ begin: from, end });
  }
  return left;
}

/** The quantity of a message's value, or why it is not a valid one. */
export function quantityOf(value: ValueLike): Quantity | string {
  const { scalar, ranges, set } = value;
  const members = [scalar, ranges, set].filter((member) => member !== undefined).length;
  if (members !== 1) return members === 0 ? "has no value" : "has more than one value";
  if (value.type === Value_Type.SCALAR && scalar !== undefined) {
    const { value: number } = scalar;
    if (!Number.isFinite(number) || number < 0) return `has the value ${number}, which is not a positive number`;
    const quantity = scalarQuantity(number);
    if (quantity.kind === "scalar" && !Number.isSafeInteger(quantity.thousandths)) return `has the value ${number}`;
    return quantity;
  }
  if (value.type === Value_Type.RANGES && ranges !== undefined) {
    for (const { begin, end } of ranges.range) if (begin > end) return `has the range [${begin}-${end}]`;
    const joined = coalesce(ranges.range);
    return { kind: "ranges", ranges: joined };
  }
  if (value.type === Value_Type.SET && set !== undefined) return { kind: "set", items: new Set(set.item) };
  return "has a value that does not match its type";
}

/** The members to put into a Resource, Value or Attribute. */
export function valueMembers(quantity: Quantity): ValueLike {
  switch (quantity.kind) {
    case "scalar":
      return {
        type: Value_Type.SCALAR,
        scalar: create(Value_ScalarSchema, { value: quantity.thousandths / 1000 }),
      };
    case "ranges":
      return {
        type: Value_Type.RANGES,
        ranges: create(Value_RangesSchema, { range: quantity.ranges.map(({ begin, end }) => ({ begin, end })) }),
      };
    case "set":
      return { type: Value_Type.SET, set: create(Value_SetSchema, { item: [...quantity.items] }) };
  }
}

export function isEmpty(quantity: Quantity): boolean {
  switch (quantity.kind) {
    case "scalar":
      return quantity.thousandths <= 0;
    case "ranges":
      return quantity.ranges.length === 0;
    case "set":
      return quantity.items.size === 0;
  }
}

function mismatch(a: Quantity, b: Quantity): never {
  throw new TypeError(`a ${a.kind} and a ${b.kind} do not combine`);
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (a.kind === "scalar" && b.kind === "scalar") return { kind: "scalar", thousandths: a.thousandths + b.thousandths };
  if (a.kind === "ranges" && b.kind === "ranges")
    return { kind: "ranges", ranges: coalesce([...a.ranges, ...b.ranges]) };
  if (a.kind === "set" && b.kind === "set") return { kind: "set", items: new Set([...a.items, ...b.items]) };
  return mismatch(a, b);
}

/** What is left of `a`; never negative. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  if (a.kind === "scalar" && b.kind === "scalar")
    return { kind: "scalar", thousandths: Math.max(0, a.thousandths - b.thousandths) };
  if (a.kind === "ranges" && b.kind === "ranges") return { kind: "ranges", ranges: subtractRanges(a.ranges, b.ranges) };
  if (a.kind === "set" && b.kind === "set")
    return { kind: "set", items: new Set([...a.items].filter((item) => !b.items.has(item))) };
  return mismatch(a, b);
}

/** Whether all of `b` is in `a`. */
export function containsQuantity(a: Quantity, b: Quantity): boolean {
  if (a.kind === "scalar" && b.kind === "scalar") return a.thousandths >= b.thousandths;
  if (a.kind === "ranges" && b.kind === "ranges") return subtractRanges(b.ranges, a.ranges).length === 0;
  if (a.kind === "set" && b.kind === "set") return [...b.items].every((item) => a.items.has(item));
  return false;
}

/** As Mesos prints values: `4`, `0.5`, `[31000-31500, 31502-32000]`, `{a, b}`. */
export function formatQuantity(quantity: Quantity): string {
  switch (quantity.kind) {
    case "scalar":
      return String(quantity.thousandths / 1000);
    case "ranges":
      return `[${quantity.ranges.map(({ begin, end }) => `${begin}-${end}`).join(", ")}]`;
    case "set":
      return `{${[...quantity.items].join(", ")}}`;
  }
}
