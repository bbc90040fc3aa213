import { expect, it } from "vitest";
import { limitsOf } from "./limits.ts";

const of = (cpus?: number, mem?: number) =>
  limitsOf({ ...(cpus !== undefined && { cpus: { value: cpus } }), ...(mem !== undefined && { mem: { value: mem } }) });

it.each([
  ["none", of(), undefined, undefined],
  ["some", of(0.5, 64.5), 0.5, 64.5 * 1024 * 1024],
  ["infinite ones", of(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY), Infinity, Infinity],
  ["the largest doubles, which JSON can say", of(Number.MAX_VALUE, Number.MAX_VALUE), Infinity, Infinity],
  // 2^64 bytes: as text the kernel would take it for 0.
  ["what only wraps around", of(1e8, 2 ** 44), Infinity, Infinity],
  ["the largest machine", of(8192, 2 ** 32), 8192, 2 ** 52],
])("limits: %s", (_what, got, cpus, bytes) => expect(got).toEqual({ cpus, bytes }));
