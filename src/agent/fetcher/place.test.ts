import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyWhole, finishFile, moveInto, preparePlace } from "./place.ts";

let base: string;
let sandbox: string;
let outside: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "place-"));
  [sandbox, outside] = ["sandbox", "outside"].map((name) => join(base, name)) as [string, string];
  for (const folder of [sandbox, outside]) mkdirSync(folder);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const at = (...names: string[]): string => join(sandbox, ...names);
const write = (path: string, text = "text"): string => {
  writeFileSync(path, text);
  return path;
};

describe("the place of a file", () => {
  it("has the folders that its name asks for, and nothing of its name", async () => {
    await preparePlace(sandbox, "./a//b/file");
    expect(existsSync(at("a/b"))).toBe(true);
    write(at("a/b/file"));
    await preparePlace(sandbox, "a/b/file");
    expect(existsSync(at("a/b/file"))).toBe(false);
    await preparePlace(sandbox, "file");
  });

  it("is not below something that is no folder, nor behind a link", async () => {
    write(at("file"));
    symlinkSync(outside, at("link"));
    for (const name of ["file/new", "link/new", "link/deeper/new"])
      await expect(preparePlace(sandbox, name)).rejects.toThrow("in the sandbox is not a folder");
    expect(existsSync(join(outside, "deeper"))).toBe(false);
  });

  it("is not that of a folder; a link in it is removed, not followed", async () => {
    mkdirSync(at("folder"));
    await expect(preparePlace(sandbox, "folder")).rejects.toThrow("'folder' in the sandbox is a folder");
    symlinkSync(write(join(outside, "victim")), at("link"));
    await preparePlace(sandbox, "link");
    expect(lstatSync(at("link"), { throwIfNoEntry: false })).toBeUndefined();
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("text");
  });

  it("is not made where the system says no", async () => {
    await expect(preparePlace(sandbox, `${"n".repeat(300)}/file`)).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    await expect(preparePlace(sandbox, "n".repeat(300))).rejects.toMatchObject({ code: "ENAMETOOLONG" });
  });
});

it("a program may be run by all, another file is as it was", async () => {
  const [program, file] = [write(at("program")), write(at("file"))];
  await finishFile(program, true);
  await finishFile(file, false);
  expect(statSync(program).mode & 0o777).toBe(0o755);
  expect(statSync(file).mode & 0o111).toBe(0);
});

it("a copy has the mode of a new file, and replaces nothing", async () => {
  const from = write(join(outside, "from"));
  await finishFile(from, true);
  await copyWhole(from, at("to"));
  expect([readFileSync(at("to"), "utf8"), statSync(at("to")).mode & 0o777]).toEqual(["text", 0o644]);
  await expect(copyWhole(from, at("to"))).rejects.toMatchObject({ code: "EEXIST" });
});

describe("what an archive brings", () => {
  it("merges folders, replaces files, keeps the rest, and goes through no link", async () => {
    const archive = at(".fetch");
    mkdirSync(join(archive, "folder/new"), { recursive: true });
    for (const name of ["folder/file", "folder/new/file", "linked"]) write(join(archive, name), "new");
    mkdirSync(at("folder"));
    write(at("folder/file"), "old");
    write(at("folder/kept"), "old");
    symlinkSync(write(join(outside, "victim"), "old"), at("linked"));
    await moveInto(archive, sandbox);
    const read = (name: string): string => readFileSync(at(name), "utf8");
    expect(["folder/file", "folder/new/file", "folder/kept", "linked"].map(read)).toEqual(["new", "new", "old", "new"]);
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("old");
    expect(existsSync(join(archive, "folder/new"))).toBe(false);
  });

  it("does not put a file in the place of a folder; a folder takes that of a link", async () => {
    const archive = at(".fetch");
    mkdirSync(join(archive, "folder"), { recursive: true });
    write(join(archive, "folder/file"));
    symlinkSync(outside, at("folder"));
    await moveInto(archive, sandbox);
    expect(existsSync(join(outside, "file"))).toBe(false);
    expect(existsSync(at("folder/file"))).toBe(true);
    write(join(archive, "taken"));
    mkdirSync(at("taken"));
    await expect(moveInto(archive, sandbox)).rejects.toThrow("'taken' in the archive is a file, but a folder");
  });

  it("may have names that are no UTF-8", async () => {
    const archive = at(".fetch");
    mkdirSync(archive);
    const odd = Buffer.from([0xff, 0xfe]);
    writeFileSync(Buffer.concat([Buffer.from(`${archive}/`), odd]), "");
    await moveInto(archive, sandbox);
    expect(existsSync(Buffer.concat([Buffer.from(`${sandbox}/`), odd]))).toBe(true);
  });
});
