import { getEventListeners } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { whatIsMade } from "../../../test/support/what-is-made.ts";
import { silentLogger } from "../../base/log.ts";
import { QuickTurns } from "../model/held/quick-removal.ts";
import { detachMount } from "./mounts.ts";
import { apart, removalProblem, removeFolders } from "./removal.ts";

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

  it("is asked for once of each folder that such paths lie in", async () => {
    const ways = new Map<string, Promise<string | undefined>>();
    for (const name of ["slaves/one", "slaves/two", "slaves/../two", "slaves/one/deep"])
      await removalProblem(root, join(root, "slaves").replace("slaves", name), ways);
    expect([...ways.keys()]).toEqual([join(root, "slaves"), join(root, "slaves/one")]);
    symlinkSync(join(base, "outside"), join(root, "door"));
    for (const name of ["door/a", "door/b"])
      expect(await removalProblem(root, join(root, name), ways), name).toBe("it is reached through a symbolic link");
  });

  it("goes with the outermost that it lies in", () => {
    const part = fc.constantFrom("a", "a-", "b");
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 8 }), (paths) => {
        const { outermost, inner } = apart(paths);
        const within = (one: string) => paths.filter((other) => one.startsWith(`${other}/`));
        expect(outermost).toEqual(paths.filter((one) => within(one).length === 0));
        const expected = paths.flatMap((one) => {
          const outer = within(one).toSorted((a, b) => a.length - b.length)[0];
          return outer === undefined ? [] : [[one, outer]];
        });
        expect([...inner]).toEqual(expected);
      }),
    );
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

  it("with no timer and no listener of their own, and few calls of the thread pool however many they are", async () => {
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    const stop = new AbortController();
    const turns = new QuickTurns(() => 0);
    const made = async (count: number) => {
      const paths = Array.from({ length: count }, (_, index) => join(root, "slaves/one", `${index}`));
      for (const path of paths) {
        mkdirSync(join(path, "runs/run/tasks/task"), { recursive: true });
        symlinkSync(join(path, "runs/run"), join(path, "runs/latest"));
        for (const name of ["runs/run/tasks/task/info", "runs/run/tasks/task/updates", "runs/run/sentinel"])
          writeFileSync(join(path, name), "some bytes");
      }
      const counted = await whatIsMade(() => removeFolders(paths, silentLogger, { signal: stop.signal, turns }));
      expect(counted.result).toEqual(new Map());
      return counted;
    };
    try {
      const few = await made(1);
      const many = await made(101);
      expect(many.poolCalls).toBe(few.poolCalls);
      expect(few.poolCalls).toBeGreaterThan(0);
      // Of eight entries each: what waits for a tree, not for each of them.
      expect((many.promises - few.promises) / 100).toBeLessThan(8);
      expect(setTimer).not.toHaveBeenCalled();
      expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it("until the agent stops", async () => {
    const why = new Error("the agent stops");
    const left = await removeFolders([join(root, "slaves")], silentLogger, { signal: AbortSignal.abort(why) });
    expect([...left.values()]).toEqual(["the agent stops"]);
    expect(existsSync(join(root, "slaves/one"))).toBe(true);
  });

  it("for an hour each at most: somebody may add to it for ever", async () => {
    let hours = 0;
    const now = () => hours++ * 3_600_001;
    const left = await removeFolders([join(root, "slaves")], silentLogger, { now });
    expect([...left.values()]).toEqual(["it was not empty after 1hrs"]);
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
