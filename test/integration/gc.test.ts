import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { diskUsageOf, GarbageCollector } from "../../src/agent/gc/collector.ts";
import { removeFolders } from "../../src/agent/gc/removal.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";

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
  execFileSync("chmod", ["000", join(tree, "no-rights")]);
  const link = join(folder, "link");
  symlinkSync(join(folder, "outside"), link);
  const left = await removeFolders([tree, link, join(folder, "missing")]);
  if (process.getuid?.() === 0) expect([...left]).toEqual([]);
  expect(existsSync(join(folder, "outside/precious"))).toBe(true);
  expect(existsSync(link)).toBe(false);
});

it("leaves what is mounted below, and says so", async (context) => {
  const mounted = join(folder, "sandbox/volume");
  mkdirSync(mounted, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "none", mounted], { stdio: "ignore" });
  } catch (error) {
    if (process.env["CI"]) throw error;
    context.skip("mounting needs root");
  }
  try {
    writeFileSync(join(mounted, "precious"), "x");
    const left = await removeFolders([join(folder, "sandbox")]);
    expect(left.get(join(folder, "sandbox"))).toContain("rm: ");
    expect(existsSync(join(mounted, "precious"))).toBe(true);
  } finally {
    execFileSync("umount", [mounted]);
  }
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
