import { afterEach, expect, it, vi } from "vitest";
import { missing, needRoot } from "../support/missing.ts";

afterEach(() => vi.unstubAllEnvs());
const context = {
  skip: (why?: unknown): never => {
    throw new Error(`skipped: ${why}`);
  },
};

it("what is missing skips a test with the reason, and fails it in CI", () => {
  vi.stubEnv("CI", undefined);
  expect(() => missing(context, "a drum")).toThrow("skipped: a drum");
  vi.stubEnv("CI", "true");
  expect(() => missing(context, "a drum")).toThrow("in CI nothing may be missing: a drum");
});

it("root is needed by whoever is not root", () => {
  vi.stubEnv("CI", "true");
  const uid = vi.spyOn(process, "getuid").mockReturnValue(0);
  needRoot(context, "drumming");
  uid.mockReturnValue(1000);
  expect(() => needRoot(context, "drumming")).toThrow("in CI nothing may be missing: drumming needs root");
  uid.mockRestore();
});
