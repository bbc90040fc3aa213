import fs, {
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
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { checkpointFiles as files } from "./files.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "files-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  rmSync(folder, { recursive: true });
});

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

/** Descriptors of this process that are files of the test. */
const opened = (): string[] =>
  readdirSync("/proc/self/fd").filter((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`).startsWith(folder);
    } catch {
      return false;
    }
  });

it.each([
  [false, 0],
  [true, 1],
])("an append opens its file once, and keeps nothing open; durable: %s", async (durable, synced) => {
  const [open, close, sync] = [vi.spyOn(fs, "openSync"), vi.spyOn(fs, "closeSync"), vi.spyOn(fs, "fdatasync")];
  const opensElsewhere = vi.spyOn(fs.promises, "open");
  syncBuiltinESMExports();
  writeFileSync(at("file"), "one");
  await files.append(at("file"), Buffer.from(" two"), durable);
  expect([open, close, sync].map(({ mock }) => mock.calls.length)).toEqual([1, 1, synced]);
  expect(opensElsewhere).not.toHaveBeenCalled();
  expect(readFileSync(at("file"), "utf8")).toBe("one two");
  expect(opened()).toEqual([]);
});

it("what the disk does not confirm is taken back", async () => {
  const broken = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  writeFileSync(at("file"), "one");
  vi.spyOn(fs, "fdatasync").mockImplementation((_file, done) => done(broken));
  syncBuiltinESMExports();
  await expect(files.append(at("file"), Buffer.from(" two"), true)).rejects.toThrow(broken);
  expect(readFileSync(at("file"), "utf8")).toBe("one");
  expect(opened()).toEqual([]);
});

it("what fits only in part is taken back", async () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  writeFileSync(at("file"), "one");
  const write = fs.writeSync;
  vi.spyOn(fs, "writeSync")
    .mockImplementationOnce((file) => write(file, Buffer.from(" two"), 0, 2))
    .mockImplementationOnce(() => {
      throw full;
    });
  syncBuiltinESMExports();
  await expect(files.append(at("file"), Buffer.from(" two"), false)).rejects.toThrow(full);
  expect(readFileSync(at("file"), "utf8")).toBe("one");
  await files.append(at("file"), Buffer.from(" three"), false);
  expect(readFileSync(at("file"), "utf8")).toBe("one three");
  expect(opened()).toEqual([]);
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
