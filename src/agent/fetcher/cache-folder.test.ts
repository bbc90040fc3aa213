import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { needRoot } from "../../../test/support/missing.ts";
import { CacheFolder } from "./cache-folder.ts";

let base: string;
let path: string;
let cache: CacheFolder;
const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "cache-"));
  path = join(base, "above/cache");
  cache = new CacheFolder(path, self);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const modeOf = (...names: string[]): number => statSync(join(path, ...names)).mode & 0o7777;
const fill = (...names: readonly string[]): void => {
  for (const name of names) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), "x");
  }
};

it("the cache is nobody else's, each user's part too, also where an earlier version left it open", () => {
  cache.openFor("user").close();
  expect([modeOf(), modeOf("user"), modeOf("..")]).toEqual([0o700, 0o700, 0o755]);
  for (const name of ["", "user"]) chmodSync(join(path, name), 0o755);
  cache.openFor("user").close();
  expect([modeOf(), modeOf("user")]).toEqual([0o700, 0o700]);
  expect(cache.shown("user/c1-x")).toBe(`${path}/user/c1-x`);
});

it("a user's part that an earlier version gave away is taken back; a cache of somebody else's is not", (context) => {
  needRoot(context, "giving files away");
  cache.openFor("user").close();
  chownSync(join(path, "user"), 12_345, 12_345);
  cache.openFor("user").close();
  expect(statSync(join(path, "user"))).toMatchObject(self);
  chownSync(path, 12_345, 12_345);
  expect(() => cache.open()).toThrow(`'${path}' belongs to another user (uid 12345)`);
  chownSync(path, self.uid, self.gid);
  chownSync(join(base, "above"), 12_345, 12_345);
  expect(() => cache.open()).toThrow("above' belongs to another user (uid 12345)");
});

it("a cache is not where others can put something in its place", () => {
  cache.open().close();
  chmodSync(join(base, "above"), 0o777);
  expect(() => cache.open()).toThrow("above' can be written by others");
  chmodSync(join(base, "above"), 0o1777);
  cache.open().close();
  rmSync(path, { recursive: true });
  symlinkSync(base, path);
  expect(() => cache.open()).toThrow(`'${path}' is a symbolic link`);
});

it("a cached file is removed; one that is gone is fine, and a folder of its name is left", () => {
  fill("c1-a", "user/c2-b", "user/c3-c/inside");
  for (const way of ["c1-a", "user/c2-b", "user/c3-c", "c4-none", "user/c5-none"]) cache.remove(way);
  expect(["c1-a", "user/c2-b", "user/c3-c/inside"].map((way) => existsSync(join(path, way)))).toEqual([
    false,
    false,
    true,
  ]);
});

it("what an earlier agent cached goes, and nothing that has another name", () => {
  fill("c1-a", "notes", "user/c22-b", "user/c-c", "user/notes", "xc1-a");
  cache.clear();
  const left = ["c1-a", "user/c22-b", "notes", "user/c-c", "user/notes", "xc1-a"];
  expect(left.map((way) => existsSync(join(path, way)))).toEqual([false, false, true, true, true, true]);
});
