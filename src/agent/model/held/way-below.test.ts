import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needRoot } from "../../../../test/support/missing.ts";
import { openBelow } from "./way-below.ts";

let base: string;
let root: string;

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "below-")));
  root = join(base, "sandbox");
  mkdirSync(join(root, "logs/deep"), { recursive: true });
  mkdirSync(join(base, "sandbox-of-another"));
  writeFileSync(join(base, "secret"), "secret");
  writeFileSync(join(base, "sandbox-of-another/secret"), "secret");
  writeFileSync(join(root, "stdout"), "out");
  writeFileSync(join(root, "logs/one"), "one");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** Descriptors of this process that lead to what the test made. */
const held = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(base) ? [path] : [];
    } catch {
      return [];
    }
  });

/** The real path of what is found, by its descriptor; everything else is closed again. */
async function found(way: string, from = root): Promise<string> {
  const { place, info } = await openBelow(from, way);
  try {
    const path = readlinkSync(`/proc/self/fd/${place.fd}`);
    expect(info.ino).toBe(statSync(path).ino);
    if (path.startsWith(base)) expect(held()).toEqual([path]);
    return path;
  } finally {
    await place.close();
  }
}

async function refusal(way: string, from = root): Promise<unknown> {
  const refused = await openBelow(from, way).then(
    async ({ place }) => place.close().then(() => "found"),
    (error: unknown) => error,
  );
  expect(held()).toEqual([]);
  return refused;
}

describe("what is found below a folder", () => {
  it.each([
    ["", ""],
    [".", ""],
    ["stdout", "/stdout"],
    ["logs", "/logs"],
    ["/logs//one", "/logs/one"],
    ["logs/./deep/../one", "/logs/one"],
    ["logs/..", ""],
    ["logs/deep/../../stdout", "/stdout"],
  ])("by %j", async (way, path) => {
    expect(await found(way)).toBe(root + path);
  });

  it("is a file that is the root itself", async () => {
    expect(await found("", join(root, "stdout"))).toBe(join(root, "stdout"));
  });

  it("is where its links lead, from where each lies, and the way goes on there", async () => {
    symlinkSync("deep", join(root, "logs/link"));
    symlinkSync("../stdout", join(root, "logs/up"));
    symlinkSync("logs/link", join(root, "twice"));
    writeFileSync(join(root, "logs/deep/two"), "");
    expect(await found("logs/link/two")).toBe(join(root, "logs/deep/two"));
    expect(await found("logs/up")).toBe(join(root, "stdout"));
    expect(await found("twice/two")).toBe(join(root, "logs/deep/two"));
    expect(await found("twice/../one")).toBe(join(root, "logs/one"));
  });

  it("is where a link leads by a whole path, by the name of the folder or the real one", async () => {
    const alias = join(base, "alias");
    symlinkSync(root, alias);
    symlinkSync(join(root, "logs/one"), join(root, "logs/deep/real"));
    symlinkSync(join(alias, "logs/one"), join(root, "logs/deep/named"));
    symlinkSync(root, join(root, "logs/self"));
    expect(await found("logs/deep/real")).toBe(join(root, "logs/one"));
    expect(await found("logs/self/stdout")).toBe(join(root, "stdout"));
    expect(await found("logs/deep/named", alias)).toBe(join(root, "logs/one"));
    expect(await found("logs/deep/real", alias)).toBe(join(root, "logs/one"));
  });

  it("is behind forty links, as the kernel has it, and not behind more", async () => {
    symlinkSync("stdout", join(root, "link1"));
    for (let link = 2; link <= 41; link++) symlinkSync(`link${link - 1}`, join(root, `link${link}`));
    expect(await found("link40")).toBe(join(root, "stdout"));
    expect(await refusal("link41")).toMatchObject({ code: "ELOOP" });
  });
});

describe("what is not found below a folder", () => {
  it.each([
    ["none", "ENOENT"],
    ["logs/none/one", "ENOENT"],
    ["stdout/one", "ENOTDIR"],
  ])("by %j: %s", async (way, code) => {
    expect(await refusal(way)).toMatchObject({ code });
  });

  it.each([
    ["..", "leads out of its folder"],
    ["logs/../../secret", "leads out of its folder"],
    ["/../sandbox/stdout", "leads out of its folder"],
  ])("by %j", async (way, why) => {
    expect(await refusal(way)).toMatchObject({ message: `'${way}' ${why}` });
  });

  it.each([
    ["by its whole path", () => join(base, "secret")],
    ["of a folder whose name begins as this one's", () => join(base, "sandbox-of-another/secret")],
    ["by way of its parents", () => "../secret"],
    ["of a folder, on the way", () => base],
  ])("is a file outside that a link names: %s", async (_name, target) => {
    symlinkSync(target(), join(root, "link"));
    for (const way of ["link", "link/secret"])
      expect(await refusal(way)).toMatchObject({ message: `'${way}' leads out of its folder` });
  });

  it("is what lies on another mount", async () => {
    expect(await refusal("proc/self/environ", "/")).toMatchObject({
      message: "'proc/self/environ' leads out of its folder, onto another mount",
    });
  });

  it("is neither a file nor a folder", async () => {
    execFileSync("mkfifo", [join(root, "fifo")]);
    expect(await refusal("fifo")).toMatchObject({ message: expect.stringContaining("is a FIFO, neither a file nor") });
  });

  it("is a second name of a file of somebody else that not all may read", async (context) => {
    needRoot(context, "giving files away");
    const [uid, other] = [12_345, 23_456];
    chownSync(root, uid, uid);
    const file = join(base, "theirs");
    writeFileSync(file, "x");
    chownSync(file, other, other);
    chmodSync(file, 0o640);
    linkSync(file, join(root, "linked"));
    expect(await refusal("linked")).toMatchObject({ message: expect.stringContaining("belongs to somebody else") });
    chmodSync(file, 0o644);
    expect(await found("linked"), "all may read it").toBe(join(root, "linked"));
    chmodSync(file, 0o640);
    chownSync(file, uid, uid);
    expect(await found("linked"), "it is the owner's").toBe(join(root, "linked"));
    chownSync(file, other, other);
    rmSync(file);
    expect(await found("linked"), "it has one name").toBe(join(root, "linked"));
  });
});
