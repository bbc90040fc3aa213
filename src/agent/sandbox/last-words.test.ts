import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noteLaunchFailure } from "./last-words.ts";

let sandbox: string;
beforeEach(() => {
  sandbox = mkdtempSync(join(tmpdir(), "words-"));
});
afterEach(() => rmSync(sandbox, { recursive: true }));

const text = (name: string) => readFileSync(join(sandbox, name), "utf8");

test("a container that never ran has stdout and stderr, and stderr says why", () => {
  noteLaunchFailure(sandbox, "Failed to pull image 'x':\nno such thing", Date.UTC(2026, 0, 1), 7);
  expect(text("stdout")).toBe("");
  expect(text("stderr")).toMatch(/^E0101 .* 7 launch\.ts:0\] Failed to pull image 'x':.*no such thing\n$/);
});

test("what the fetcher wrote stays", () => {
  writeFileSync(join(sandbox, "stdout"), "fetched\n");
  writeFileSync(join(sandbox, "stderr"), "fetching\n");
  noteLaunchFailure(sandbox, "why", 0, 7);
  expect(text("stdout")).toBe("fetched\n");
  expect(text("stderr")).toMatch(/^fetching\nE.* why\n$/);
});

test("nothing is written through a link that an archive left", () => {
  symlinkSync(join(sandbox, "elsewhere"), join(sandbox, "stderr"));
  expect(() => noteLaunchFailure(sandbox, "why", 0, 7)).toThrow();
  expect(existsSync(join(sandbox, "elsewhere"))).toBe(false);
});
