import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { removeGroup } from "./removal.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "removal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("removes the groups that a container made for itself, the lowest first", async () => {
  mkdirSync(join(folder, "c1/leaf/init.scope/deep"), { recursive: true });
  mkdirSync(join(folder, "c1/leaf/system.slice"));
  mkdirSync(join(folder, "c2"));
  await removeGroup(join(folder, "c1"), new TestClock(), 0);
  expect([existsSync(join(folder, "c1")), existsSync(join(folder, "c2"))]).toEqual([false, true]);
  await removeGroup(join(folder, "c1"), new TestClock(), 0);
});

it("removes groups whose names are no text, and those that are too deep for any path", async () => {
  const group = join(folder, "c1");
  mkdirSync(Buffer.concat([Buffer.from(`${group}/leaf/`), Buffer.from([0xff, 0xfe])]), { recursive: true });
  // Relative steps: no path that long can be named.
  execFileSync("perl", ["-e", 'for (1..60) { mkdir "d" x 250; chdir "d" x 250 or die }'], { cwd: join(group, "leaf") });
  await removeGroup(group, new TestClock(), 0);
  expect(existsSync(group)).toBe(false);
});

it("has the kernel end what is in it, goes on when it is empty, and says in the end why it is still there", async () => {
  const clock = new TestClock();
  const group = join(folder, "c1");
  mkdirSync(join(group, "leaf"), { recursive: true });
  // A file keeps the folder, as a process keeps a group.
  writeFileSync(join(group, "leaf/cgroup.procs"), "0\n");
  writeFileSync(join(group, "cgroup.kill"), "0");
  const over = removeGroup(group, clock, 100).then(
    () => "removed",
    (error: NodeJS.ErrnoException) => error.code,
  );
  expect(readFileSync(join(group, "cgroup.kill"), "utf8")).toBe("1");
  await clock.advance(200);
  expect(await over).toBe("ENOTEMPTY");
  const again = removeGroup(group, clock, 100);
  rmSync(join(group, "leaf/cgroup.procs"));
  rmSync(join(group, "cgroup.kill"));
  await clock.advance(40);
  await again;
  expect(existsSync(group)).toBe(false);
});
