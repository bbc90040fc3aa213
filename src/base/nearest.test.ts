import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance, nearest } from "./nearest.ts";

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["work_dir", "work_dir", 0],
    ["wrok", "work", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
  ])("%s to %s is %i", (left, right, distance) => {
    expect(editDistance(left, right)).toBe(distance);
  });

  it("is symmetric, zero only for equals, and never more than the longer length", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
        const distance = editDistance(left, right);
        expect(distance).toBe(editDistance(right, left));
        expect(distance === 0).toBe(left === right);
        expect(distance).toBeLessThanOrEqual(Math.max(left.length, right.length));
      }),
    );
  });
});

describe("nearest", () => {
  const names = ["work_dir", "containerizers", "hostname", "log_dir", "executor_registration_timeout"];
  it("sees through case, separators and small slips", () => {
    expect(nearest("WORKDIR", names)).toBe("work_dir");
    expect(nearest("containerizes", names)).toBe("containerizers");
    expect(nearest("hostnmae", names)).toBe("hostname");
  });
  it("has no suggestion for something else", () => {
    expect(nearest("zookeeper", names)).toBeUndefined();
    expect(nearest("x", names)).toBeUndefined();
  });
});
