import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ProcTable } from "./process-table.ts";

describe("the children of a process", () => {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  afterAll(() => rmSync(root, { recursive: true }));

  /** A process with these children, by the thread that made each. */
  function processWith(pid: number, threads: Readonly<Record<number, string>>): void {
    for (const [thread, children] of Object.entries(threads)) {
      const folder = join(root, `${pid}`, "task", thread);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "children"), children);
    }
  }

  it("are those of its only thread, of all its threads, or none of one that is gone", () => {
    mkdirSync(join(root, "thread-self"));
    writeFileSync(join(root, "thread-self/children"), "");
    processWith(10, { 10: "11 12 " });
    processWith(20, { 20: "21 ", 22: "23 24 ", 25: "" });
    const table = new ProcTable(root);
    expect(table.children(10)).toEqual([11, 12]);
    expect([...table.children(20)].sort()).toEqual([21, 23, 24]);
    expect(table.children(30)).toEqual([]);
    // Who has seen that there is one thread spares a look for others.
    expect(table.children(10, 1)).toEqual([11, 12]);
    expect([...table.children(20, 3)].sort()).toEqual([21, 23, 24]);
  });

  it("are found in the kernel's own table, whatever thread made them", async () => {
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    await once(child, "spawn");
    // Node has many threads, sleep has one.
    expect(new ProcTable().children(process.pid)).toContain(child.pid);
    expect(new ProcTable().children(child.pid ?? 0)).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
  });
});
