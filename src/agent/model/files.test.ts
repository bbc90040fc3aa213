import { execFileSync } from "node:child_process";
import fs, {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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

it("what is created is there as a whole, also where something was", () => {
  files.create(at("a/file"), "one");
  const before = openSync(at("a/file"), "r");
  files.create(at("a/file"), Buffer.from("two, which is longer"));
  const first = readFileSync(before, "utf8");
  closeSync(before);
  expect([first, readFileSync(at("a/file"), "utf8"), mode("a/file"), mode("a")]).toEqual([
    "one",
    "two, which is longer",
    0o600,
    0o700,
  ]);
  expect(readdirSync(at("a"))).toEqual(["file"]);
});

it("only what one page takes is created in place: a process that is ended leaves no half", async () => {
  const seen: string[] = [];
  const watcher = watch(folder, (_event, name) => seen.push(`${name}`.replace(/\.[0-9a-f]+\.\d+\./, ".")));
  files.create(at("small"), Buffer.alloc(4096));
  files.create(at("large"), Buffer.alloc(4097));
  await expect.poll(() => seen).toContain("large");
  watcher.close();
  expect([...new Set(seen)]).toEqual(["small", ".large.tmp", "large"]);
  expect([statSync(at("small")).size, statSync(at("large")).size]).toEqual([4096, 4097]);
});

it("what fails leaves nothing behind, and no half", async () => {
  mkdirSync(at("taken/in"), { recursive: true });
  expect(() => files.replace(at("taken"), "x")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(() => files.create(at("taken"), "x")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  writeFileSync(at("file"), "");
  expect(() => files.replace(at("file/below"), "x")).toThrow("ENOTDIR");
  expect(() => files.create(at("file/below"), "x")).toThrow("ENOTDIR");
  await expect(files.append(at("taken"), Buffer.from("x"), true)).rejects.toThrow("EISDIR");
  expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
});

it("a file that does not fit is not there afterwards, and what was stays", () => {
  writeFileSync(at("old"), "old");
  const module = JSON.stringify(pathToFileURL(join(import.meta.dirname, "files.ts")));
  const program = `import { checkpointFiles as files } from ${module};
    for (const name of ["replace", "create"]) for (const path of ["new", "old"]) {
      try { files[name](path, Buffer.alloc(3000)); } catch (error) { console.log(name, path, error.code); }
    }`;
  // Of 3,000 bytes 1,024 fit.
  const limited = ["-c", 'ulimit -f 1; exec "$@"', "bash", process.execPath, "--input-type=module", "-e", program];
  expect(execFileSync("bash", limited, { cwd: folder, encoding: "utf8" })).toBe(
    "replace new EFBIG\nreplace old EFBIG\ncreate new EFBIG\ncreate old EFBIG\n",
  );
  expect([readdirSync(folder), readFileSync(at("old"), "utf8")]).toEqual([["old"], "old"]);
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
