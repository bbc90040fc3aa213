import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Patient } from "./finding.ts";
import { disk } from "./machine.ts";

let base = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "disk-"));
  writeFileSync(join(base, "file"), "");
});
afterEach(() => rmSync(base, { recursive: true }));

it("a folder that is not there yet is made at start; one that cannot be looked at is a failure with its reason", async () => {
  const folders: Record<string, string> = { MESOS_WORK_DIR: join(base, "new"), MESOS_LOG_DIR: join(base, "file/log") };
  const patient = { setting: (name: string) => folders[name], hasServices: true } as Partial<Patient> as Patient;
  expect(await disk(patient)).toEqual([
    {
      check: "disk",
      status: "warning",
      detail: `${folders["MESOS_WORK_DIR"]} does not exist yet`,
      fix: "init makes it at start",
    },
    {
      check: "disk",
      status: "failure",
      detail: expect.stringMatching(/file\/log cannot be looked at: .*ENOTDIR/),
      fix: "name a folder that this user may use",
    },
  ]);
});
