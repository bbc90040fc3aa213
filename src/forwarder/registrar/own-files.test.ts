import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ownFiles } from "./own-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "own-"));
  for (const name of ["state", "other"]) mkdirSync(join(folder, name));
  symlinkSync(join(folder, "state"), join(folder, "link"));
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["state/registry.json", true],
  ["state/registry.json.lock", true],
  ["state/.registry.json.1a2b.tmp", true],
  ["state/registry.json.broken-12", true],
  ["link/registry.json", true],
  ["link/.registry.json.1a2b.tmp", true],
  ["link/app.log", false],
  ["state/registry.json.1", false],
  ["other/registry.json", false],
  ["nowhere/registry.json", false],
])("%s is the program's own: %s", (path, expected) => {
  for (const registry of ["state", "link"])
    expect(ownFiles([join(folder, registry, "registry.json"), undefined])(join(folder, path))).toBe(expected);
});
