import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { release, versionLine } from "./release.ts";

test("the project's own version beside the Mesos that it speaks, and when it was built", () => {
  const manifest = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"));
  expect(release().version).toBe(manifest.version);
  expect(release().builtAt).toBeGreaterThan(Date.UTC(2020, 0));
  expect(versionLine("redpill", "1.11.0")).toMatch(
    /^redpill \d+\.\d+\.\d+ \(Mesos 1\.11\.0\), built \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
  );
});
