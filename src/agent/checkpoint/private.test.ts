import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkpointFiles } from "../model/files.ts";
import { Paths } from "../model/paths.ts";
import { keepPrivate } from "./private.ts";

let base: string;
let paths: Paths;
const modeOf = (path: string): number => statSync(path).mode & 0o777;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "private-"));
  paths = new Paths(join(base, "work"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

test("checkpoints are the agent's alone, while users reach their sandboxes", async () => {
  await keepPrivate(paths);
  const file = paths.meta.executorInfo("a", "f", "e");
  checkpointFiles.replace(file, "secret");
  await checkpointFiles.replaceDurably(paths.meta.agentInfo("a"), "secret");
  await checkpointFiles.append(paths.meta.operationUpdates("a", "u"), Buffer.from("secret"), true);
  checkpointFiles.touch(paths.meta.generatedForCommandTask("a", "f", "e"));
  await checkpointFiles.linkDurably(paths.meta.latestAgent(), "a");
  expect(modeOf(paths.workDir)).toBe(0o755);
  for (const path of [file, paths.meta.agentInfo("a"), paths.meta.operationUpdates("a", "u")])
    expect(modeOf(path)).toBe(0o600);
  expect(modeOf(paths.meta.generatedForCommandTask("a", "f", "e"))).toBe(0o600);
  for (const path of [paths.meta.root(), paths.meta.agent("a"), paths.meta.executor("a", "f", "e")])
    expect(modeOf(path)).toBe(0o700);
});

test("what an earlier version left open is closed, and no link is followed", async () => {
  const file = paths.meta.executorInfo("a", "f", "e");
  mkdirSync(paths.meta.executor("a", "f", "e"), { recursive: true });
  writeFileSync(file, "secret");
  writeFileSync(join(base, "outside"), "");
  symlinkSync(join(base, "outside"), join(paths.meta.root(), "link"));
  for (const path of [file, join(base, "outside")]) chmodSync(path, 0o644);
  chmodSync(paths.meta.root(), 0o755);
  await keepPrivate(paths);
  expect([file, paths.meta.executor("a", "f", "e"), paths.meta.root()].map(modeOf)).toEqual([0o600, 0o700, 0o700]);
  expect(modeOf(join(base, "outside"))).toBe(0o644);
});
