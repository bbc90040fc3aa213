import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { placeOf } from "../../tools/mutants.ts";
import { faults } from "../mutants/faults.ts";

const root = resolve(import.meta.dirname, "../..");

it.each(faults.map((fault) => [fault.name, fault] as const))("the place of '%s' is known", (_name, fault) => {
  const place = placeOf(fault, root);
  expect(place).toMatch(/\.ts$/);
  // A program that is none any more would be noticed by anything.
  const text = readFileSync(resolve(root, place), "utf8").replace(fault.text, () => fault.instead);
  expect(() => stripTypeScriptTypes(text)).not.toThrow();
  expect(fault.instead).not.toBe(fault.text);
});
