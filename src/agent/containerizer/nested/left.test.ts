import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openContainerizer } from "../../../../test/support/containerizer.ts";
import { FakeProcesses } from "../../../../test/support/process-table.ts";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import type { ContainerChain } from "../../model/nested.ts";
import type { Sessions } from "../../model/session.ts";
import { Accounts } from "../../users/accounts.ts";
import { currentProcessSpace, ownerOf, RuntimeFolder } from "../mesos/runtime-folder.ts";
import { Nested, type NestedOptions } from "./containers.ts";
import { NestingContainerizer } from "./nesting.ts";
import { NestedRecords } from "./records.ts";
import { ContainerTree } from "./tree.ts";

/*
 * A C++ agent was killed and this one started in its place. It left an executor, `root`, whose task group runs in nested
 * containers: in its runtime folder each has a folder within that of its parent, with the process that it began with.
 */
let folder: string;
let runtimeDir: string;
let clock: TestClock;
let table: FakeProcesses;
let agents: NestingContainerizer[];

const EXECUTOR = { pid: 100, sandbox: "/work/root" };
const executor = {
  containerId: "root",
  user: "somebody",
  resources: [],
  ...EXECUTOR,
} as unknown as CheckpointedContainer;
const sandboxOf = ([, ...below]: ContainerChain): string =>
  [EXECUTOR.sandbox, ...below.flatMap((id) => ["containers", id])].join("/");
const placeOf = (chain: ContainerChain): string => join(runtimeDir, ...chain.flatMap((id) => ["containers", id]));

/** As the C++ agent's containerizer leaves it; `pid` undefined: it was killed before it forked. */
function left(chain: ContainerChain, pid: number | undefined, files: Readonly<Record<string, string>> = {}): void {
  mkdirSync(placeOf(chain), { recursive: true });
  const all = { ...files, ...(pid !== undefined && { pid: `${pid}` }) };
  for (const [name, content] of Object.entries(all)) writeFileSync(join(placeOf(chain), name), content);
}

/** The process that it began with leads a session, and has the command below it, which knows its sandbox. */
function runs(pid: number, variables: Readonly<Record<string, string>>): void {
  table.add(pid, 1, pid, "7");
  table.add(pid + 1, pid, pid, "7");
  table.environments.set(pid + 1, variables);
}
const runsNested = (chain: ContainerChain, pid: number) => runs(pid, { MESOS_SANDBOX: sandboxOf(chain) });

/** It writes the status before it ends. */
async function ends(chain: ContainerChain, pid: number, status: number): Promise<void> {
  writeFileSync(join(placeOf(chain), "status"), `${status}`);
  vanishes(pid);
  await looked();
}
function vanishes(pid: number): void {
  table.end(pid);
  table.end(pid + 1);
}
const looked = async (): Promise<void> => {
  await clock.advance(1_000);
  await settle();
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "left-"));
  runtimeDir = join(folder, "runtime");
  clock = new TestClock();
  table = new FakeProcesses();
  table.onSignal = (pid, signal) => {
    if (signal === "SIGKILL") table.end(pid);
  };
  agents = [];
  left(["root"], EXECUTOR.pid);
  runs(EXECUTOR.pid, { MESOS_DIRECTORY: EXECUTOR.sandbox });
});
afterEach(async () => {
  for (const each of agents) await each.close();
  rmSync(folder, { recursive: true });
});

/** The agent that starts in its place. */
async function start(): Promise<{ readonly nested: Nested; readonly recovered: ReadonlySet<string> }> {
  const workDir = join(folder, "work");
  const tree = new ContainerTree();
  const ending = (id: string) => tree.ending(id);
  const processes = openContainerizer(folder, { clock, table, ending });
  const records = new NestedRecords(
    new RuntimeFolder(runtimeDir, ownerOf(workDir), currentProcessSpace()),
    silentLogger,
  );
  const nested = new Nested({
    ...{ log: silentLogger, processes, tree, records, workDir, accounts: new Accounts(clock) },
    ...{ switchesUser: false, gc: undefined },
  } as unknown as NestedOptions);
  const sessions = {} as Sessions;
  const containerizer = new NestingContainerizer({ log: silentLogger, processes, tree, nested, sessions });
  agents.push(containerizer);
  return { nested, recovered: await containerizer.recover([executor]) };
}

describe("what a C++ agent left within an executor's container", () => {
  const task: ContainerChain = ["root", "task"];

  it("runs on, and tells its executor how it ended", async () => {
    left(task, 200);
    runsNested(task, 200);
    const { nested, recovered } = await start();
    expect(recovered).toEqual(new Set(["root"]));
    expect(nested.list()).toEqual([{ chain: task, isStandalone: false }]);
    const end = nested.wait(task);
    await looked();
    expect([table.sent, nested.pid(task)]).toEqual([[], 200]);
    await ends(task, 200, 3 << 8);
    expect(await end).toEqual({ status: 3 << 8 });
    await nested.remove(task);
    expect(existsSync(placeOf(task))).toBe(false);
  });

  it("is still asked for when it ended while no agent was there", async () => {
    left(task, 200, { status: "0" });
    left(["root", "mute"], 300);
    const { nested } = await start();
    expect(await nested.wait(task)).toEqual({ status: 0 });
    expect(await nested.wait(["root", "mute"]), "killed with what would have written it").toEqual({
      status: undefined,
    });
  });

  it("is signalled as its executor asks", async () => {
    left(task, 200);
    runsNested(task, 200);
    const { nested } = await start();
    expect(await nested.kill(task, 15)).toBe(true);
    expect(table.sent).toEqual(["15 200"]);
    expect(await nested.kill(task, 9)).toBe(true);
    await looked();
    expect(table.stat(201)).toBeUndefined();
    expect(await nested.wait(task)).toEqual({ status: undefined });
  });

  it("is known by where it works, too, and at every depth", async () => {
    const check: ContainerChain = ["root", "task", "check"];
    left(task, 200);
    left(check, 300);
    runs(200, {});
    table.directories.set(200, sandboxOf(task));
    runsNested(check, 300);
    const { nested } = await start();
    expect(nested.list().map(({ chain }) => chain)).toEqual([task, check]);
    const end = nested.wait(check);
    await nested.kill(task, 9);
    await looked();
    expect(await end).toEqual({ status: undefined });
    expect([table.stat(300), table.stat(200)]).toEqual([undefined, undefined]);
  });

  it("ends with an executor that is gone: nobody else would end it", async () => {
    left(task, 200);
    runsNested(task, 200);
    vanishes(EXECUTOR.pid);
    const { recovered } = await start();
    expect(recovered).toEqual(new Set());
    await looked();
    expect([table.stat(200), table.stat(201)]).toEqual([undefined, undefined]);
  });

  it("ends when it is a session, whose client is gone", async () => {
    left(task, 200);
    left(["root", "session"], 300, { force_destroy_on_recovery: "" });
    runsNested(task, 200);
    runsNested(["root", "session"], 300);
    const { nested } = await start();
    await looked();
    expect([table.stat(300), table.stat(200)?.pid]).toEqual([undefined, 200]);
    expect(nested.list().map(({ chain }) => chain)).toEqual([task]);
  });

  it("touches nobody who has its process id now, and forgets what never ran", async () => {
    left(task, 200);
    left(["root", "unborn"], undefined);
    runs(200, { MESOS_SANDBOX: "/somewhere/else" });
    const { nested } = await start();
    expect(await nested.wait(task)).toEqual({ status: undefined });
    expect(await nested.kill(task, 9)).toBe(false);
    expect(nested.wait(["root", "unborn"])).toBeUndefined();
    await looked();
    expect(table.sent).toEqual([]);
  });

  it("is found again by the agent after that", async () => {
    left(task, 200);
    runsNested(task, 200);
    await start();
    const { nested } = await start();
    await ends(task, 200, 0);
    expect(await nested.wait(task)).toEqual({ status: 0 });
  });

  it("ends, with its executor, when nobody checkpointed that: its framework was told that it is lost", async () => {
    const within = (id: string) => `${join(folder, "work")}/slaves/S0/frameworks/f/executors/e/runs/${id}`;
    left(["lost"], 400);
    left(["lost", "task"], 500);
    runs(400, { MESOS_DIRECTORY: within("lost") });
    runs(500, { MESOS_SANDBOX: within("lost/containers/task") });
    await start();
    await looked();
    expect([400, 401, 500, 501].map((pid) => table.stat(pid))).toEqual([undefined, undefined, undefined, undefined]);
    expect(existsSync(placeOf(["lost"]))).toBe(false);
    expect(table.stat(EXECUTOR.pid)?.pid).toBe(EXECUTOR.pid);
  });

  it("is left alone within containers of other agents", async () => {
    left(["other"], 400);
    left(["other", "task"], 200);
    runs(400, { MESOS_DIRECTORY: `${join(folder, "work")}-of-another/slaves/S0/other` });
    runs(200, { MESOS_SANDBOX: "/work/other/containers/task" });
    const { nested } = await start();
    await looked();
    expect([nested.list(), table.sent]).toEqual([[], []]);
    expect(existsSync(placeOf(["other", "task"]))).toBe(true);
  });
});
