import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Patient } from "./finding.ts";
import { runtimeFolder } from "./runtime-folder.ts";

let base = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "runtime-"));
  writeFileSync(join(base, "file"), "");
});
afterEach(() => rmSync(base, { recursive: true }));

const look = (settings: Record<string, string>, root = "") =>
  runtimeFolder({ setting: (name: string) => settings[name], root } as Partial<Patient> as Patient);

it("a runtime_dir that the agent cannot make is a failure with its fix; one that it can is nothing to say", async () => {
  // Root may write everywhere; nobody may below a file.
  const bad = { MESOS_RUNTIME_DIR: join(base, "file/mesos") };
  expect(await look(bad)).toEqual([
    {
      check: "runtime_dir",
      status: "failure",
      detail: expect.stringContaining(`${bad.MESOS_RUNTIME_DIR} cannot be made or written: `),
      fix: "MESOS_RUNTIME_DIR or --runtime_dir: a folder that this user may write to",
    },
  ]);
  expect(await look({ MESOS_RUNTIME_DIR: join(base, "not/yet") })).toEqual([]);
  expect(await look({ ...bad, MESOS_CONTAINERIZERS: "docker" })).toEqual([]);
  expect(await look(bad, "/home/me/mesos-slave/.node")).toEqual([]);
});
