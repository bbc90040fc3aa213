import { resolve } from "node:path";
import { expect, it } from "vitest";
import { placeOf } from "../../tools/mutants.ts";
import { faults } from "../mutants/faults.ts";

const root = resolve(import.meta.dirname, "../..");

it.each(faults.map((fault) => [fault.name, fault] as const))("the place of '%s' is known", (_name, fault) => {
  expect(placeOf(fault, root)).toMatch(/\.ts$/);
  expect(fault.instead).not.toBe(fault.text);
});
