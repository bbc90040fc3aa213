import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeFolder, makeFolders } from "./folders.ts";

describe("a folder", () => {
  const root = mkdtempSync(join(tmpdir(), "folders-"));
  const at = (name: string): string => join(root, name);
  afterAll(() => rmSync(root, { recursive: true }));

  it("is made with all that are missing above it, each with its mode", () => {
    makeFolder(at("a/b/c"), 0o700);
    for (const name of ["a", "a/b", "a/b/c"]) expect(statSync(at(name)).mode & 0o777, name).toBe(0o700);
    makeFolder(at("d/"));
    expect(statSync(at("d")).isDirectory()).toBe(true);
  });

  it("that is there stays as it is, also behind a link", () => {
    mkdirSync(at("there"));
    chmodSync(at("there"), 0o711);
    symlinkSync(at("there"), at("link"));
    makeFolder(at("there"), 0o700);
    makeFolder(at("link"), 0o700);
    makeFolder(at("link/below"), 0o700);
    expect(statSync(at("there")).mode & 0o777).toBe(0o711);
    expect(statSync(at("there/below")).isDirectory()).toBe(true);
  });

  it("is not made where a file, or a link to nothing, is in the way", () => {
    writeFileSync(at("file"), "");
    symlinkSync(at("nothing"), at("dangling"));
    expect(() => makeFolder(at("file"))).toThrow("EEXIST");
    expect(() => makeFolder(at("file/below"))).toThrow("ENOTDIR");
    expect(() => makeFolder(at("file/below/deeper"))).toThrow("ENOTDIR");
    expect(() => makeFolder(at("dangling"))).toThrow();
    expect(() => makeFolder(at("dangling/below"))).toThrow();
  });

  it("is refused by a file system that makes none, and that is the end", () => {
    expect(() => makeFolder("/proc/no/such/folder")).toThrow("ENOENT");
  });
});

describe("folders below one that is probably there", () => {
  const root = mkdtempSync(join(tmpdir(), "folders-"));
  const at = (name: string): string => join(root, name);
  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ["it is", "", "a"],
    ["it is not", "b", "b/c"],
    ["it is not above them", "other", "d"],
    ["its name only begins like theirs", "e", "ee"],
    ["nobody says one", undefined, "f"],
  ])("are made when %s", (_what, below, name) => {
    makeFolders(at(`${name}/1/2`), 0o700, below === undefined ? undefined : at(below).replace(/\/$/, ""));
    for (const made of [name, `${name}/1`, `${name}/1/2`]) expect(statSync(at(made)).mode & 0o777, made).toBe(0o700);
    makeFolders(at(`${name}/1/2`), 0o700, root);
  });

  it("are refused where a file is in the way, at the end or before it", () => {
    writeFileSync(at("file"), "");
    expect(() => makeFolders(at("file"), 0o700, root)).toThrow("EEXIST");
    expect(() => makeFolders(at("file/below"), 0o700, root)).toThrow("ENOTDIR");
  });
});
