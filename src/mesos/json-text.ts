/**
 * JSON text whose integers may exceed 2^53 (nanoseconds do): Mesos writes 64-bit fields as JSON numbers, and both V8's
 * parser and printer would round them.
 */

/** A JSON tree as this module reads and writes it; a bigint prints as a number. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

interface SourceJSON {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}
const sourceJSON = JSON as unknown as SourceJSON;

const LONG_INTEGER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** JSON knows neither Infinity nor NaN; Mesos prints what is not finite as 0. */
export const finite = (value: number): number => (Number.isFinite(value) ? value : 0);

/** As JSON.parse, but an integer beyond 2^53 becomes a bigint. Throws a SyntaxError. */
export function parseJson(text: string): Json {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text) as Json;
  return sourceJSON.parse(text, (_key, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
      ? BigInt(source)
      : value,
  ) as Json;
}

/** As JSON.stringify; bigints print as plain numbers. */
export function jsonText(value: Json, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, inner: unknown) => (typeof inner === "bigint" ? sourceJSON.rawJSON(String(inner)) : inner),
    indent,
  );
}
