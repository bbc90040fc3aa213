import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { statFields } from "./process-stat.ts";

it("gives the fields behind a name that holds anything", () => {
  expect(statFields("7 (a) Z (b ) S 1 7 7 0")).toEqual(["S", "1", "7", "7", "0"]);
  expect(statFields("7 (a) S 1 7 7 0", 2)).toEqual(["S", "1"]);
  expect(statFields(readFileSync("/proc/self/stat", "utf8"))[1]).toBe(String(process.ppid));
});

it("gives none of what is not there, or cut off", () => {
  expect(statFields("")).toEqual([]);
  expect(statFields("7 (half a na")).toEqual([]);
});
