import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeBoundFolders } from "./bound-folders.ts";

let base: string;
let sandbox: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "bound-"));
  sandbox = join(base, "sandbox");
  for (const folder of [sandbox, join(base, "root")]) mkdirSync(folder);
});
afterEach(() => rmSync(base, { recursive: true }));

test("folders of the sandbox are made, files and other binds are left", () => {
  writeFileSync(join(sandbox, "file"), "");
  makeBoundFolders(sandbox, [
    `${sandbox}/a/b:/b:rw`,
    `${sandbox}/file:/f:ro`,
    `${sandbox}:/mnt`,
    "/etc:/etc:ro",
    "name:/n:rw",
  ]);
  expect(statSync(join(sandbox, "a/b")).isDirectory()).toBe(true);
});

test.each(["door", "door/made", "in/door"])("a link in the place of '%s' shows the container nothing", (way) => {
  mkdirSync(join(sandbox, "in"));
  for (const name of ["door", "in/door"]) symlinkSync(join(base, "root"), join(sandbox, name));
  expect(() => makeBoundFolders(sandbox, [`${sandbox}/${way}:/mnt:rw`])).toThrow(/symbolic link|cannot be a volume/);
  expect(existsSync(join(base, "root/made"))).toBe(false);
});
