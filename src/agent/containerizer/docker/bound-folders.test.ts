import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boundSources, makeBoundFolders } from "./bound-folders.ts";

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
  makeBoundFolders(sandbox, [`${sandbox}/a/b`, `${sandbox}/a:b/`, `${sandbox}/file`, sandbox, "/etc"]);
  for (const made of ["a/b", "a:b"]) expect(statSync(join(sandbox, made)).isDirectory()).toBe(true);
});

test.each(["door", "door/made", "in/door"])("a link in the place of '%s' shows the container nothing", (way) => {
  mkdirSync(join(sandbox, "in"));
  for (const name of ["door", "in/door"]) symlinkSync(join(base, "root"), join(sandbox, name));
  expect(() => makeBoundFolders(sandbox, [`${sandbox}/${way}`])).toThrow(/symbolic link|cannot be a volume/);
  expect(existsSync(join(base, "root/made"))).toBe(false);
});

test("what the daemon takes by name: structured and text, no named volumes of drivers", () => {
  const Mounts = [
    { Type: "bind", Source: "/a:b", Target: "/x" },
    { Type: "volume", Source: "v", Target: "/y" },
  ];
  expect(boundSources({ Mounts, Binds: ["/c:/z:ro"] })).toEqual(["/a:b", "/c"]);
});
