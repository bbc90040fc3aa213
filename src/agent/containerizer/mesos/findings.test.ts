import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { damaged, seeded } from "../../../../test/support/damage.ts";
import { FakeProcesses } from "../../../../test/support/process-table.ts";
import { silentLogger } from "../../../base/log.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import { Findings } from "./findings.ts";
import { RuntimeFolder } from "./runtime-folder.ts";

const space = { bootId: "0e2d3c4b-1111-2222-3333-444455556666", pidNamespace: "pid:[4026531836]" };
const SANDBOX = "/work/sandbox";

let base: string;
let folder: RuntimeFolder;
let table: FakeProcesses;
const lines: string[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "findings-"));
  folder = new RuntimeFolder(base, "00112233445566ff", space);
  folder.create();
  mkdirSync(folder.container("c"), { recursive: true });
  lines.splice(0);
  table = new FakeProcesses();
  table.add(10, 1, 10, "500");
  table.add(11, 10, 11, "501");
  table.titles.set("c", 10);
  table.directories.set(11, SANDBOX);
  // Somebody else, whom a wrong number must not hit.
  for (const pid of [1, 12, 13, 15, 21, 31, 51, 91, 110, 111, 1011]) table.add(pid, 1, pid, "7");
});
afterEach(() => rmSync(base, { recursive: true }));

const whole = () => Buffer.from(`10 500 11 ${folder.mark}\n`);
const log = { ...silentLogger, error: (line: string) => lines.push(line) };
const find = async (content: Buffer | undefined) => {
  if (content !== undefined) writeFileSync(folder.processesFile("c"), content);
  const container = { containerId: "c", sandbox: SANDBOX, pid: undefined } as CheckpointedContainer;
  return new Findings(folder, table, log).of("c", container);
};

describe("a damaged record of a container's processes", () => {
  it("reports no end while the task runs, whatever is wrong with it: 400 trials", async () => {
    const random = seeded(11);
    const others = [Buffer.from("0"), Buffer.from("9\n"), Buffer.from(`13 7 15 ${folder.mark}\n`)];
    for (let trial = 0; trial < 400; trial++) {
      const { how, content } = damaged(whole(), random, others);
      lines.splice(0);
      const found = await find(content);
      // Another process that starts at that time by that number is the one thing that cannot be told.
      if (content.equals(others[2] as Buffer)) continue;
      expect(found, `trial ${trial}: ${how}`).toEqual({ kind: "running", shim: 10, since: "500", pid: 11 });
    }
  });

  it("is named, missing or unreadable", async () => {
    expect(await find(undefined)).toMatchObject({ kind: "running", shim: 10, pid: 11 });
    await find(Buffer.from("10 500"));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain(`'${folder.processesFile("c")}' is damaged or missing`);
  });

  it("has nobody else ended: 400 trials with the supervisor gone", async () => {
    table.end(10);
    table.titles.clear();
    const random = seeded(12);
    for (let trial = 0; trial < 400; trial++) {
      const { how, content } = damaged(whole(), random, []);
      const found = await find(content);
      if (found.kind === "unsupervised") expect(found.pid, `trial ${trial}: ${how}`).toBe(11);
      else expect(["ended", "unknown"], `trial ${trial}: ${how}`).toContain(found.kind);
    }
  });

  it("is told from a record of another agent, and of another boot", async () => {
    mkdirSync(join(base, "agents/ffeeddccbbaa0011"));
    expect((await find(Buffer.from(`10 500 11 ffeeddccbbaa0011 ${space.bootId} ${space.pidNamespace}\n`))).kind).toBe(
      "unknown",
    );
    table.titles.clear();
    expect(await find(Buffer.from(`10 500 11 ${folder.owner} ${space.bootId.replace("0", "1")} x\n`))).toEqual({
      kind: "ended",
      status: undefined,
    });
  });
});
