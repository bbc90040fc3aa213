import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkpointFiles as files } from "./files.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const mode = (name: string): number => statSync(at(name)).mode & 0o777;

it("checkpoints are the agent's alone, with the folders that are made for them", async () => {
  files.replace(at("a/b/replaced"), "1");
  await files.append(at("c/appended"), Buffer.from("1"), false);
  await files.append(at("d/durable"), Buffer.from("1"), true);
  await files.replaceDurably(at("e/f/replaced"), "1");
  files.touch(at("g/touched"));
  files.folder(at("h/i"));
  for (const name of ["a/b/replaced", "c/appended", "d/durable", "e/f/replaced", "g/touched"])
    expect(mode(name), name).toBe(0o600);
  for (const name of ["a", "a/b", "c", "d", "e", "e/f", "g", "h", "h/i"]) expect(mode(name), name).toBe(0o700);
});

it("a file is replaced as a whole, appended to at its end, and read", async () => {
  files.replace(at("file"), "a long first content");
  files.replace(at("file"), Buffer.from("one"));
  await files.append(at("file"), Buffer.from(" two"), false);
  await files.append(at("file"), Buffer.from(" three"), true);
  expect(files.read(at("file")).toString()).toBe("one two three");
});

it("what fails leaves nothing behind, and no half", async () => {
  mkdirSync(at("taken/in"), { recursive: true });
  expect(() => files.replace(at("taken"), "x")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  writeFileSync(at("file"), "");
  expect(() => files.replace(at("file/below"), "x")).toThrow("ENOTDIR");
  await expect(files.append(at("taken"), Buffer.from("x"), true)).rejects.toThrow("EISDIR");
  expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
});

it("a link is replaced, and points where it is told", async () => {
  files.link(at("x/latest"), "one");
  files.link(at("x/latest"), "two");
  expect(readlinkSync(at("x/latest"))).toBe("two");
  await files.linkDurably(at("y/latest"), "one");
  await files.linkDurably(at("y/latest"), "two");
  expect([readlinkSync(at("y/latest")), readdirSync(at("x")), readdirSync(at("y"))]).toEqual([
    "two",
    ["latest"],
    ["latest"],
  ]);
});

it("a mark is new each time; removing one that is not there is fine", () => {
  files.touch(at("mark"));
  utimesSync(at("mark"), 1, 1);
  writeFileSync(at("mark"), "kept");
  utimesSync(at("mark"), 1, 1);
  files.touch(at("mark"));
  expect(statSync(at("mark")).mtimeMs).toBeGreaterThan(1_000_000);
  expect(readFileSync(at("mark"), "utf8")).toBe("kept");
  files.remove(at("mark"));
  files.remove(at("mark"));
  expect(existsSync(at("mark"))).toBe(false);
});
