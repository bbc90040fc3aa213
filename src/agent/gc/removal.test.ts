import { getEventListeners } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { silentLogger } from "../../base/log.ts";
import { detachMount } from "./mounts.ts";
import { removalProblem, removeFolders } from "./removal.ts";

let base: string;
let root: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "removal-"));
  root = join(base, "work");
  mkdirSync(join(root, "slaves/one/deep"), { recursive: true });
  mkdirSync(join(base, "outside"));
  writeFileSync(join(base, "outside/precious"), "x");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe("what may be deleted", () => {
  it("lies plainly below the root, and need not be there", async () => {
    for (const path of ["slaves", "slaves/one", "slaves/one/none", "slaves/none/deep"])
      expect(await removalProblem(root, join(root, path)), path).toBeUndefined();
  });

  it.each([
    ["work/slaves", "it is not a plain absolute path"],
    ["/ROOT/slaves/../slaves", "it is not a plain absolute path"],
    ["/ROOT/slaves/", "it is not a plain absolute path"],
    ["/ROOT//slaves", "it is not a plain absolute path"],
    ["/ROOT", "it is not below"],
    ["/BASE", "it is not below"],
    ["/BASE/outside", "it is not below"],
  ])("is not %s", async (path, why) => {
    const real = path.replace("/ROOT", root).replace("/BASE", base);
    expect(await removalProblem(root, real)).toContain(why);
  });

  it("is not reached through a link, nor behind what is no folder", async () => {
    symlinkSync(join(base, "outside"), join(root, "link"));
    expect(await removalProblem(root, join(root, "link/precious"))).toBe("it is reached through a symbolic link");
    expect(await removalProblem(root, join(root, "link")), "the link itself is deleted").toBeUndefined();
    writeFileSync(join(root, "file"), "");
    expect(await removalProblem(root, join(root, "file/x/y"))).toContain("cannot be looked at (ENOTDIR)");
  });

  it("may have a root that is a link itself", async () => {
    symlinkSync(root, join(base, "alias"));
    expect(await removalProblem(join(base, "alias"), join(base, "alias/slaves"))).toBeUndefined();
    expect(await removalProblem(join(base, "alias"), join(base, "alias/slaves/one"))).toBeUndefined();
  });
});

describe("folders are deleted", () => {
  it("with all that is in them; links in them are not followed, and a missing one is fine", async () => {
    symlinkSync(join(base, "outside"), join(root, "slaves/one/link"));
    symlinkSync(join(base, "outside"), join(root, "alone"));
    const paths = ["slaves", "alone", "missing", "missing/deeper"].map((name) => join(root, name));
    expect([...(await removeFolders(paths, silentLogger))]).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
    expect(existsSync(join(base, "outside/precious"))).toBe(true);
  });

  it("and what stays is told, each with its reason", async () => {
    writeFileSync(join(root, "file"), "");
    const paths = [join(root, "file/below"), join(root, "slaves")];
    const left = await removeFolders(paths, silentLogger);
    expect([...left.keys()]).toEqual([join(root, "file/below")]);
    expect(left.get(join(root, "file/below"))).toContain("ENOTDIR");
    expect(existsSync(join(root, "slaves"))).toBe(false);
  });

  it("leaving nothing behind: no timer, and nothing that hears of the agent's end", async () => {
    const [set, clear] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    const stop = new AbortController();
    try {
      const paths = ["a", "b", "c"].map((name) => join(root, name));
      for (const path of paths) mkdirSync(path);
      expect(await removeFolders(paths, silentLogger, stop.signal)).toEqual(new Map());
      const timers = set.mock.calls.flatMap(([, delay], index) =>
        delay === 3_600_000 ? [set.mock.results[index]?.value] : [],
      );
      expect(timers).toHaveLength(3);
      const cleared = clear.mock.calls.map(([timer]) => timer);
      for (const timer of timers) expect(cleared).toContain(timer);
      expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it("until the agent stops", async () => {
    const why = new Error("the agent stops");
    const left = await removeFolders([join(root, "slaves")], silentLogger, AbortSignal.abort(why));
    expect([...left.values()]).toEqual(["the agent stops"]);
    expect(existsSync(join(root, "slaves/one"))).toBe(true);
  });

  it("with what is mounted on one of their names left alone: it is another folder of that name", async () => {
    // /proc is a mount on every machine.
    mkdirSync(join(root, "slaves/one/proc"));
    expect([...(await removeFolders([join(root, "slaves/one/proc")], silentLogger))]).toEqual([]);
  });
});

it("a mount is only taken off by what it is, not by its name", async () => {
  const mount = { id: 1, path: join(root, "slaves"), what: "ext4" } as Parameters<typeof detachMount>[0];
  await expect(detachMount(mount)).rejects.toThrow("another mount is there by now");
  await expect(detachMount({ ...mount, path: join(root, "none") })).rejects.toThrow("ENOENT");
});
