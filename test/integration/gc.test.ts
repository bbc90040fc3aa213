import { execFileSync } from "node:child_process";
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { diskUsageOf, GarbageCollector } from "../../src/agent/gc/collector.ts";
import { detachMount } from "../../src/agent/gc/mounts.ts";
import { removeFolders } from "../../src/agent/gc/removal.ts";
import { diskUsage } from "../../src/agent/isolators/disk.ts";
import { quickTurns } from "../../src/agent/model/held/quick-removal.ts";
import { type MountPoint, parseMountInfo } from "../../src/agent/model/mount-table.ts";
import { systemClock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/log.ts";
import { missing } from "../support/missing.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gc-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("deletes trees of any shape, and links instead of what they point at", async () => {
  mkdirSync(join(folder, "outside"));
  writeFileSync(join(folder, "outside/precious"), "x");
  const tree = join(folder, "tree -rf");
  mkdirSync(join(tree, "no-rights/deep"), { recursive: true });
  symlinkSync(join(folder, "outside"), join(tree, "link"));
  writeFileSync(join(tree, "new\nline"), "x");
  const odd = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xe9, 0xff])]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xfe])]), "x");
  execFileSync("chmod", ["000", join(tree, "no-rights")]);
  const link = join(folder, "link");
  symlinkSync(join(folder, "outside"), link);
  const left = await removeFolders([tree, link, join(folder, "missing")], silentLogger);
  if (process.getuid?.() === 0) expect([...left]).toEqual([]);
  expect(existsSync(join(folder, "outside/precious"))).toBe(true);
  expect(existsSync(link)).toBe(false);
});

/** Bind-mounts a folder of the same file system below `sandbox`, as a task may; skips where mounting is not possible. */
function bind(context: TestContext, source: string, target: string): void {
  mkdirSync(source, { recursive: true });
  mkdirSync(target, { recursive: true });
  try {
    execFileSync("mount", ["--bind", source, target], { stdio: "ignore" });
  } catch (error) {
    missing(context, `mounting needs root: ${messageOf(error)}`);
  }
  writeFileSync(join(source, "precious"), "x");
}

const isMounted = (path: string) => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
const umountAll = (path: string) => {
  while (isMounted(path)) execFileSync("umount", ["-l", path]);
};

describe("what is mounted below", () => {
  const sandbox = () => join(folder, "sandbox");
  const lines: string[] = [];
  const log = { ...silentLogger, warn: (line: string) => lines.push(line) };
  beforeEach(() => void lines.splice(0));

  it("is not counted as the sandbox's own, whatever its device", async (context) => {
    const source = join(folder, "data");
    bind(context, source, join(sandbox(), "deep/vol[x]*"));
    try {
      writeFileSync(join(source, "large"), Buffer.alloc(8 * 1024 * 1024, 1));
      writeFileSync(join(sandbox(), "own"), Buffer.alloc(1024 * 1024, 1));
      const used = (await diskUsage(sandbox())) / 1024 / 1024;
      expect(used).toBeGreaterThanOrEqual(1);
      expect(used).toBeLessThan(2);
    } finally {
      umountAll(join(sandbox(), "deep/vol[x]*"));
    }
  });

  it("is neither counted nor deleted when its name is not UTF-8", async (context) => {
    const source = join(folder, "data");
    bind(context, source, join(sandbox(), "vol"));
    umountAll(join(sandbox(), "vol"));
    const name = `${sandbox()}/$(printf 'v\\351')`;
    execFileSync("bash", ["-c", `mkdir "${name}" && mount --bind "${source}" "${name}"`]);
    try {
      writeFileSync(join(source, "large"), Buffer.alloc(8 * 1024 * 1024, 1));
      expect((await diskUsage(sandbox())) / 1024 / 1024).toBeLessThan(1);
      expect([...(await removeFolders([sandbox()], log))]).toEqual([]);
      expect(readdirSync(source).toSorted()).toEqual(["large", "precious"]);
      expect(existsSync(sandbox())).toBe(false);
    } finally {
      execFileSync("bash", ["-c", `while umount -l "${name}" 2>/dev/null; do :; done`]);
    }
  });

  it("is unmounted first, whatever its device, and said", async (context) => {
    const source = join(folder, "data of others");
    const target = join(sandbox(), "deep/vol");
    bind(context, source, target);
    try {
      // On top of it once more, and a tmpfs inside of what is bound.
      execFileSync("mount", ["--bind", source, target]);
      mkdirSync(join(source, "inner"));
      execFileSync("mount", ["-t", "tmpfs", "none", join(target, "inner")]);
      writeFileSync(join(sandbox(), "file"), "x");
      expect([...(await removeFolders([sandbox(), join(folder, "missing")], log))]).toEqual([]);
      expect(existsSync(sandbox())).toBe(false);
      expect(readdirSync(source).toSorted()).toEqual(["inner", "precious"]);
      expect(isMounted(target)).toBe(false);
      expect(lines).toHaveLength(3);
      expect(lines.at(-1)).toMatch(/^Unmounted '.*deep\/vol' \(\S+ .*\), which was left mounted in '.*sandbox'$/);
    } finally {
      umountAll(join(target, "inner"));
      umountAll(target);
    }
  });

  it("may be the folder itself, or one file", async (context) => {
    const source = join(folder, "data");
    bind(context, source, sandbox());
    try {
      writeFileSync(join(sandbox(), "target"), "");
      execFileSync("mount", ["--bind", "/etc/hostname", join(sandbox(), "target")]);
      expect([...(await removeFolders([sandbox()], log))]).toEqual([]);
      expect(existsSync("/etc/hostname")).toBe(true);
      expect(readdirSync(source).toSorted()).toEqual(["precious", "target"]);
    } finally {
      umountAll(join(sandbox(), "target"));
      umountAll(sandbox());
    }
  });

  it("is no reason to unmount what a link leads to", async (context) => {
    const other = join(folder, "other/vol");
    bind(context, join(folder, "data"), other);
    try {
      bind(context, join(folder, "data"), join(sandbox(), "way/vol"));
      const [mount] = parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")).filter(({ path }) =>
        path.startsWith(sandbox()),
      );
      // The task puts a link in the way between the look and the unmount.
      renameSync(join(sandbox(), "way"), join(sandbox(), "elsewhere"));
      symlinkSync(join(folder, "other"), join(sandbox(), "way"));
      await expect(detachMount(mount as MountPoint)).rejects.toThrow("another mount is there by now");
      expect(isMounted(other)).toBe(true);
      expect([...(await removeFolders([sandbox()], log))]).toEqual([]);
      expect(existsSync(join(folder, "data/precious"))).toBe(true);
      expect(isMounted(other)).toBe(true);
    } finally {
      umountAll(join(sandbox(), "elsewhere/vol"));
      umountAll(other);
    }
  });

  it("keeps the whole folder where it cannot be unmounted", async (context) => {
    const target = join(sandbox(), "vol");
    bind(context, join(folder, "data"), target);
    try {
      execFileSync("chown", ["-R", "65534:65534", folder]);
      const module = new URL("../../src/agent/gc/removal.ts", import.meta.url).href;
      const script = `const { removeFolders } = await import(${JSON.stringify(module)});
        console.log(JSON.stringify([...await removeFolders([${JSON.stringify(sandbox())}], { warn() {} })]));`;
      const run = ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "--input-type=module", "-e"];
      const left = JSON.parse(execFileSync("setpriv", [...run, script], { encoding: "utf8" })) as [string, string][];
      expect(left).toHaveLength(1);
      expect(left[0]?.[1]).toMatch(/vol' \(.*\) is mounted there and cannot be unmounted: .*Unmount it/);
      expect(existsSync(join(folder, "data/precious"))).toBe(true);
    } finally {
      umountAll(target);
    }
  });
});

it("collects many folders of a real work_dir", async () => {
  const runs = Array.from({ length: 150 }, (_, index) => join(folder, "slaves/s/runs", `${index}`));
  for (const run of runs) {
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, "stdout"), "x");
  }
  expect(await diskUsageOf(folder)).toBeGreaterThan(0);
  const options = {
    clock: systemClock,
    log: silentLogger,
    workDir: folder,
    delay: 1000,
    headroom: 0.1,
    interval: 60_000,
  };
  const collector = new GarbageCollector(options);
  for (const run of runs.slice(0, -1)) collector.schedule(run, 0);
  await collector.collect();
  await collector.close();
  expect(runs.filter((run) => existsSync(run))).toEqual(runs.slice(-1));
  expect(collector.figures).toMatchObject({ path_removals_succeeded: 149, path_removals_failed: 0 });
});

/** Turns of the event loop that everybody else had meanwhile, and the most entries that went between two. Figures of time are bench/loop-delay's. */
async function turnsDuring(
  load: () => Promise<void>,
): Promise<{ readonly turns: number; readonly mostAtOnce: number }> {
  const removals = [vi.spyOn(fs, "unlinkSync"), vi.spyOn(fs, "rmdirSync")];
  syncBuiltinESMExports();
  let [turns, mostAtOnce, before] = [0, 0, 0];
  let isOver = false;
  const turn = (): void => {
    const gone = removals.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    mostAtOnce = Math.max(mostAtOnce, gone - before);
    before = gone;
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await load();
  isOver = true;
  for (const spy of removals) spy.mockRestore();
  syncBuiltinESMExports();
  return { turns, mostAtOnce };
}

it("lets the loop go on while it deletes many folders, or a large one", async () => {
  const runs = Array.from({ length: 1000 }, (_, index) => join(folder, "slaves/s/executors", `e${index}`, "runs/r"));
  for (const run of runs) {
    mkdirSync(run, { recursive: true });
    for (let index = 0; index < 20; index++) writeFileSync(join(run, `stdout.${index}`), "x");
  }
  const large = join(folder, "slaves/s/large");
  mkdirSync(large);
  for (let index = 0; index < 10_000; index++) writeFileSync(join(large, `${index}`), "");
  const gone: string[] = [];
  const collector = new GarbageCollector({
    ...{ clock: systemClock, log: silentLogger, workDir: folder, delay: 1000, headroom: 0.1, interval: 60_000 },
    removed: (path) => gone.push(path),
  });
  for (const run of runs) for (const path of [run, join(run, "../..")]) collector.schedule(path, 0);
  // A busy machine makes one wait as a slow disk does, and then nothing is done in the loop for half a minute.
  const judged = vi.spyOn(quickTurns, "run").mockImplementation((work) => work());
  const many = await turnsDuring(() => collector.collect());
  collector.schedule(large, 0);
  const one = await turnsDuring(() => collector.collect());
  judged.mockRestore();
  await collector.close();
  expect(gone).toHaveLength(2001);
  expect(readdirSync(join(folder, "slaves/s/executors"))).toEqual([]);
  // The 256 folders that are taken together have three thousand entries.
  expect(many.mostAtOnce).toBeGreaterThan(0);
  expect(many.mostAtOnce).toBeLessThan(1500);
  expect(many.turns).toBeGreaterThan(500);
  expect(one.turns).toBeGreaterThan(20);
});

it("stops where it is when the agent does", async () => {
  const run = join(folder, "slaves/s/run");
  mkdirSync(run, { recursive: true });
  for (let index = 0; index < 2000; index++) writeFileSync(join(run, `${index}`), "");
  const lines: string[] = [];
  const log = { ...silentLogger, error: (line: string) => lines.push(line) };
  const collector = new GarbageCollector({
    ...{ clock: systemClock, log, workDir: folder, delay: 1000, headroom: 0.1, interval: 60_000 },
  });
  collector.schedule(run, 0);
  const collecting = collector.collect();
  while (readdirSync(run).length === 2000) await new Promise((resolve) => setImmediate(resolve));
  await collector.close();
  await collecting;
  expect(readdirSync(run).length).toBeGreaterThan(0);
  expect(lines).toEqual([`Failed to delete '${run}': the agent stops`]);
});
