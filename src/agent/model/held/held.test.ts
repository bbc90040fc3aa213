import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { needRoot } from "../../../../test/support/missing.ts";
import { NotHeld } from "./descriptor.ts";
import { HeldFolder } from "./folder.ts";
import { emptyFolder, removeTree } from "./removal.ts";

let base: string;
let outside: string;
let sandbox: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "held-"));
  outside = join(base, "outside");
  sandbox = join(base, "sandbox");
  for (const folder of [outside, sandbox]) mkdirSync(folder);
  writeFileSync(join(outside, "secret"), "secret");
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

function attempt(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

test.each([
  ["", "."],
  [".", "."],
  ["..", "."],
  ["a/b", "a"],
  ["/etc", "etc"],
  ["a\0b", "a"],
])("%j is not a name", (name) => {
  using held = HeldFolder.open(sandbox);
  expect(attempt(() => held.folder(name))).toBeInstanceOf(NotHeld);
  expect(attempt(() => held.file(name, { access: "append", create: 0o600 }))).toBeInstanceOf(NotHeld);
  expect(attempt(() => held.unlink(name))).toBeInstanceOf(NotHeld);
});

test("a link is neither entered, opened, nor made a file through", () => {
  symlinkSync(outside, join(sandbox, "folder"));
  symlinkSync(join(outside, "secret"), join(sandbox, "file"));
  symlinkSync(join(outside, "new"), join(sandbox, "dangling"));
  using held = HeldFolder.open(sandbox);
  expect(attempt(() => held.folder("folder"))).toMatchObject({ message: expect.stringContaining("symbolic link") });
  expect(attempt(() => held.walk("folder/deeper", { mode: 0o755 }))).toBeInstanceOf(NotHeld);
  expect(attempt(() => held.read("file", 100))).toBeInstanceOf(NotHeld);
  for (const name of ["file", "dangling"])
    expect(attempt(() => held.file(name, { access: "append", create: 0o600 }))).toBeInstanceOf(NotHeld);
  expect(existsSync(join(outside, "new"))).toBe(false);
  expect(attempt(() => HeldFolder.open(join(sandbox, "folder")))).toMatchObject({ code: "ENOTDIR" });
});

test("what is done after a folder was swapped for a link happens in the folder that was opened", async () => {
  mkdirSync(join(sandbox, "sub"));
  using held = HeldFolder.open(sandbox);
  using sub = held.walk("sub");
  renameSync(join(sandbox, "sub"), join(sandbox, "aside"));
  symlinkSync(outside, join(sandbox, "sub"));
  const file = sub.file("secret", { access: "append", create: 0o600 });
  writeSync(file, "mine");
  closeSync(file);
  sub.chmod(0o711);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  expect(readFileSync(join(sandbox, "aside/secret"), "utf8")).toBe("mine");
  expect(statSync(outside).mode & 0o777).not.toBe(0o711);
  await removeTree(sub, "secret");
  expect(existsSync(join(outside, "secret"))).toBe(true);
});

test("a FIFO and a device are refused without being opened: nothing waits", () => {
  execFileSync("mkfifo", [join(sandbox, "stdout")]);
  using held = HeldFolder.open(sandbox);
  for (const access of ["read", "append", "update"] as const)
    expect(attempt(() => held.file("stdout", { access, create: 0o600 }))).toMatchObject({
      message: expect.stringContaining("is a FIFO, not a file"),
    });
  using dev = HeldFolder.open("/dev");
  expect(attempt(() => dev.file("null", { access: "read" }))).toMatchObject({
    message: expect.stringContaining("is a device, not a file"),
  });
});

test("a file with a second name is refused, unless the reader says that it may have some", () => {
  linkSync(join(outside, "secret"), join(sandbox, "linked"));
  using held = HeldFolder.open(sandbox);
  expect(attempt(() => held.file("linked", { access: "update" }))).toMatchObject({
    message: expect.stringContaining("has 2 names"),
  });
  closeSync(held.file("linked", { access: "read", manyNames: true }));
});

test("a mount is not entered, and with it no procfs", async () => {
  using root = HeldFolder.open("/");
  expect(attempt(() => root.folder("proc"))).toMatchObject({ message: "'//proc' is another mount" });
  await expect(removeTree(root, "proc")).rejects.toThrow("is another mount");
});

test("folders and files are made with exactly their modes, and only once", () => {
  using held = HeldFolder.open(sandbox);
  // A usual umask takes these bits away.
  held.walk("a/b/c", { mode: 0o777 }).close();
  expect(statSync(join(sandbox, "a/b/c")).mode & 0o777).toBe(0o777);
  held.walk("a/b/c", { mode: 0o700 }).close();
  expect(statSync(join(sandbox, "a/b/c")).mode & 0o777).toBe(0o777);
  closeSync(held.file("f", { access: "append", create: 0o600, exclusive: true }));
  expect(attempt(() => held.file("f", { access: "append", create: 0o600, exclusive: true }))).toMatchObject({
    code: "EEXIST",
  });
  expect(attempt(() => held.read("none", 10))).toMatchObject({ code: "ENOENT" });
  writeFileSync(join(sandbox, "f"), "12345678901");
  expect(attempt(() => held.read("f", 10))).toBeInstanceOf(NotHeld);
  expect(held.read("f", 11).toString()).toBe("12345678901");
  held.rename("f", "g");
  expect(held.names().sort()).toEqual(["a", "g"]);
});

test("a link that is made is given away itself, not what it leads to", (context) => {
  needRoot(context, "giving files away");
  using held = HeldFolder.open(sandbox);
  held.symlink(join(outside, "secret"), "link", { uid: 65534, gid: 65534 });
  expect(lstatSync(join(sandbox, "link")).uid).toBe(65534);
  expect(statSync(join(outside, "secret")).uid).toBe(0);
});

test("a removal removes links, not what they lead to, and names that are no UTF-8", async () => {
  const victim = join(sandbox, "victim");
  mkdirSync(join(victim, "deeper"), { recursive: true });
  symlinkSync(outside, join(victim, "deeper/link"));
  symlinkSync(join(outside, "secret"), join(victim, "file"));
  writeFileSync(Buffer.concat([Buffer.from(`${victim}/`), Buffer.from([0xff, 0xfe])]), "");
  execFileSync("mkfifo", [join(victim, "fifo")]);
  using held = HeldFolder.open(sandbox);
  await removeTree(held, "victim");
  expect(existsSync(victim)).toBe(false);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  symlinkSync(outside, join(sandbox, "link"));
  await removeTree(held, "link");
  await removeTree(held, "link");
  expect(lstatSync(join(sandbox, "link"), { throwIfNoEntry: false })).toBeUndefined();
  expect(existsSync(join(outside, "secret"))).toBe(true);
});

test("folders nested hundreds deep are removed with few descriptors", async () => {
  mkdirSync(join(sandbox, "deep"));
  // Relative steps: no path that long can be named.
  execFileSync("perl", ["-e", 'for (1..400) { mkdir "d"; chdir "d" or die } open F, ">", "end"'], {
    cwd: join(sandbox, "deep"),
  });
  using held = HeldFolder.open(sandbox);
  let most = 0;
  // Of this test only: others have theirs in the same process.
  const leadsHere = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(sandbox);
    } catch {
      return false;
    }
  };
  const watch = setInterval(() => {
    most = Math.max(most, readdirSync("/proc/self/fd").filter(leadsHere).length);
  }, 1);
  await removeTree(held, "deep");
  clearInterval(watch);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThan(100);
  expect(existsSync(join(sandbox, "deep"))).toBe(false);
});

test("emptying keeps the folder itself", async () => {
  mkdirSync(join(sandbox, "a/b"), { recursive: true });
  writeFileSync(join(sandbox, "a/b/c"), "");
  using held = HeldFolder.open(sandbox);
  await emptyFolder(held);
  expect(held.names()).toEqual([]);
  expect(existsSync(sandbox)).toBe(true);
});

test("a removal ends between two entries when it is told to, and says of what it cannot remove where it is", async () => {
  mkdirSync(join(sandbox, "many"));
  for (let index = 0; index < 1000; index++) writeFileSync(join(sandbox, "many", `${index}`), "");
  using held = HeldFolder.open(sandbox);
  const stop = new AbortController();
  const removing = removeTree(held, "many", () => stop.signal.throwIfAborted());
  const watch = setInterval(() => {
    if (readdirSync(join(sandbox, "many")).length < 1000) stop.abort(new Error("the agent stops"));
  }, 0);
  await expect(removing).rejects.toThrow("the agent stops");
  clearInterval(watch);
  expect(readdirSync(join(sandbox, "many")).length).toBeGreaterThan(0);
  await removeTree(held, "many");
  expect(existsSync(join(sandbox, "many"))).toBe(false);
  // Nobody may remove what the kernel keeps, root neither.
  using kernel = HeldFolder.open("/sys/kernel");
  await expect(removeTree(kernel, "uevent_seqnum")).rejects.toThrow("'/sys/kernel/uevent_seqnum' cannot be removed: E");
});
