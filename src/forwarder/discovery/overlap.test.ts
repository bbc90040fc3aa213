import fc from "fast-check";
import { expect, it } from "vitest";
import type { FileGroup } from "../model/settings.ts";
import { Glob } from "./glob.ts";
import { lanesOf, mayMeet } from "./overlap.ts";

it.each([
  ["/logs/a.log", "/logs/*.log", true],
  ["/logs/a.log", "/logs/b.log", false],
  ["/logs/*.log", "/logs/a*", true],
  ["/logs/a*.log", "/logs/b*.log", false],
  ["/logs/*a", "/logs/*b", false],
  ["/logs/*.log", "/other/*.log", false],
  ["/logs/*.log", "/logs/deep/*.log", false],
  ["/logs/**/*.log", "/logs/deep/er/x.log", true],
  ["/logs/**/*.log", "/logs/x.log", true],
  ["/logs/{a,b}.log", "/logs/b.log", true],
  ["/logs/[ab].log", "/logs/?.log", true],
  ["/logs/\\*.log", "/logs/a.log", false],
  ["/a", "/a/b", false],
])("%s and %s: %s", (left, right, expected) => {
  expect([mayMeet(left, right), mayMeet(right, left)]).toEqual([expected, expected]);
});

it("never says no of patterns that match the same path", () => {
  const segment = fc.stringMatching(/^[ab*?]{1,4}$/);
  const pattern = fc
    .array(fc.oneof(segment, fc.constant("**")), { minLength: 1, maxLength: 3 })
    .map((all) => `/${all.join("/")}`);
  const path = fc
    .array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 3 })
    .map((all) => `/${all.join("/")}`);
  fc.assert(
    fc.property(pattern, pattern, path, (left, right, one) => {
      fc.pre(new Glob(left).matches(one) && new Glob(right).matches(one));
      expect(mayMeet(left, right)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

it("gives entries a lane of their own only where they name the same file", () => {
  const group = (paths: string[], exclude: string[] = []) => ({ paths, exclude }) as unknown as FileGroup;
  expect(lanesOf([group(["/a/*.log"]), group(["/b/*.log"]), group(["-"]), group(["-"])])).toEqual([0, 0, 0, 0]);
  expect(lanesOf([group(["/a/x.log"]), group(["/a/*.log"]), group(["/b"]), group(["/a/x*"])])).toEqual([0, 1, 0, 2]);
  expect(lanesOf([group(["/a/x.log"]), group(["/a/*.log"], ["/a/x.log"])])).toEqual([0, 0]);
});
