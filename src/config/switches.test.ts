import { expect, test } from "vitest";
import { switchesOf } from "./switches.ts";

const parse = (...words: string[]) => switchesOf(words, ["dry-run", "json"]);

test("switches, with --help and --version", () => {
  expect(parse("--dry-run", "--json")).toEqual({ on: new Set(["dry-run", "json"]), problem: undefined });
  expect(parse("-h").on).toEqual(new Set(["help"]));
  expect(parse("--version").on).toEqual(new Set(["version"]));
  expect(parse().on.size).toBe(0);
});

test.for([
  ["--dry-rn", "did you mean --dry-run?"],
  ["--jsn", "did you mean --json?"],
  ["--dry_run", "did you mean --dry-run?"],
  ["-x", "see --help"],
  ["json", "'json' is no flag"],
] as const)("%s: %s", ([word, words]) => {
  expect(parse(word).problem).toContain(words);
});
