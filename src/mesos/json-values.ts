import { ScalarType } from "@bufbuild/protobuf";
import type { Json } from "./json-text.ts";
import { wellFormed } from "./text.ts";

const LIMITS: Partial<Record<ScalarType, readonly [bigint, bigint]>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
};
const WIDE: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.SFIXED64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
]);
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function integer(type: ScalarType, value: Json, refuse: (problem: string) => never): number | bigint {
  let whole: bigint;
  if (typeof value === "bigint") whole = value;
  else if (typeof value === "number" && Number.isFinite(value)) whole = BigInt(Math.trunc(value));
  else if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) whole = BigInt(value);
  else return refuse("expected a whole number");
  const [lowest, highest] = LIMITS[type] ?? [whole, whole];
  if (whole < lowest || whole > highest) return refuse(`${whole} is out of range`);
  return WIDE.has(type) ? whole : Number(whole);
}

/** A scalar field's value out of JSON, converted as Mesos 1.11 does. `refuse` is called with what is wrong. */
export function fieldValue(type: ScalarType, value: Json, refuse: (problem: string) => never): unknown {
  switch (type) {
    case ScalarType.STRING:
      if (typeof value === "object") return refuse("expected a string");
      return wellFormed(String(value));
    case ScalarType.BYTES:
      if (typeof value !== "string" || !BASE64.test(value)) return refuse("expected base64");
      return new Uint8Array(Buffer.from(value, "base64"));
    case ScalarType.BOOL:
      if (typeof value === "boolean") return value;
      if (value === "true" || value === "false") return value === "true";
      return refuse("expected true or false");
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT: {
      // JSON has no word for them; these are Mesos' (a limit without end).
      if (value === "Infinity") return Number.POSITIVE_INFINITY;
      if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof number === "bigint") return Number(number);
      return typeof number === "number" && Number.isFinite(number) ? number : refuse("expected a number");
    }
    default:
      return integer(type, value, refuse);
  }
}
