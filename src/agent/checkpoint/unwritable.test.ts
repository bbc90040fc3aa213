import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unwritable } from "./unwritable.ts";

const why = new Error("ENOENT: no such file or directory");

it("a work_dir that cannot be written is told with the folder that says no, and with what it says", () => {
  const problem = unwritable("/sys/kernel/none/deeper/boot_id", why);
  expect(problem.message).toMatch(/^cannot write \/sys\/kernel\/none\/deeper\/boot_id: /);
  expect(problem.fix).toContain("(looked at /sys/kernel)");
});

it("and with what the write said, where the folder itself does not refuse", () => {
  const folder = mkdtempSync(join(tmpdir(), "unwritable-"));
  try {
    mkdirSync(join(folder, "meta"));
    const problem = unwritable(join(folder, "meta/none/boot_id"), why);
    expect(problem.message).toContain("ENOENT: no such file");
    expect(problem.fix).toContain(`give the agent a --work_dir on a disk that has room`);
    expect(problem.fix).toContain(`(looked at ${join(folder, "meta")})`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
