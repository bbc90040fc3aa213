import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { isTerminal, stateName } from "../../src/mesos/states.ts";
import { EmbeddedAgent, FakeMachine } from "../support/embedded-agent.ts";
import { type Fault, FaultyFiles } from "../support/faulty-files.ts";
import { freePort } from "../support/free-port.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;
/** More than a life takes, so that nothing goes wrong. */
const NEVER = 1_000_000;
/** Lives at once: each is mostly waiting. */
const AT_ONCE = 8;

const taskIds = ["ends", "killed"];

interface Life {
  readonly operations: readonly string[];
  readonly happened: boolean;
}

/**
 * Registers, launches two tasks of a framework that checkpoints, ends one and kills the other, and has everything
 * acknowledged; operation number `at` meets the fault, and the agent starts again when that was its end.
 */
async function live(at: number, fault: Fault): Promise<Life> {
  const folder = mkdtempSync(join(tmpdir(), "faults-"));
  const master = new LocalMaster({ port: 0 });
  await master.start();
  const port = await freePort();
  const machine = new FakeMachine();
  const scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
  let node: EmbeddedAgent | undefined;
  let over = false;
  const faulty = new FaultyFiles(at, fault, () => node?.die());
  const common = { master: master.address, port, machine, workDir: join(folder, "work") };

  /** Agents one after the other, as a supervisor would start them. */
  const supervise = async (): Promise<void> => {
    for (let first = true; !over; first = false) {
      const current = await EmbeddedAgent.open({ ...common, ...(first && { files: faulty.files }) });
      node = current;
      const started = current.agent.start().then(
        () => undefined,
        (error: unknown) => String(error),
      );
      if (!first) expect(await started, "a fresh agent recovers").toBeUndefined();
      let failed: unknown;
      void started.then((problem) => {
        failed = problem;
      });
      void current.ended.then((why) => {
        failed = why;
      });
      while (!over && !current.isDead && failed === undefined) await new Promise((next) => setTimeout(next, 10));
      await current.kill();
    }
  };

  const supervised = supervise();
  try {
    await scheduler.subscribe();
    await scheduler.launch(taskIds.map((id) => commandTask(id, "true")));
    const deadline = Date.now() + 30_000;
    let killAgain = 0;
    while (
      !taskIds.every((id) => scheduler.terminalOf(id) !== undefined) ||
      (node?.viewed.registry.active.size ?? 1) > 0
    ) {
      if (Date.now() > deadline)
        throw new Error(`fault at ${at} (${faulty.operations[at]}): ${describeLife(scheduler)}`);
      if (scheduler.statesOf("ends").includes(TASK_RUNNING)) machine.containerOf("ends")?.end(0);
      // A kill can be lost with the agent, so it is said again; not too soon: one after the end is answered TASK_LOST.
      if (isRunning(scheduler, "killed") && Date.now() > killAgain) {
        killAgain = Date.now() + 500;
        void scheduler.kill("killed");
      }
      await new Promise((next) => setTimeout(next, 20));
    }
    check(scheduler, machine, `${fault} at ${at} (${faulty.operations[at]})`);
  } finally {
    over = true;
    await supervised;
    scheduler.close();
    await master.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { operations: faulty.operations, happened: faulty.happened };
}

const isRunning = (scheduler: TestScheduler, id: string): boolean =>
  scheduler.statesOf(id).includes(TASK_RUNNING) && scheduler.terminalOf(id) === undefined;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const describeLife = (scheduler: TestScheduler): string =>
  taskIds.map((id) => `${id}: ${scheduler.statesOf(id).map(stateName).join(" ")}`).join("; ");

function check(scheduler: TestScheduler, machine: FakeMachine, what: string): void {
  for (const id of taskIds) {
    const updates = scheduler.updates.filter(({ taskId }) => taskId?.value === id);
    const ends = updates.filter(({ state }) => isTerminal(state));
    expect(
      new Set(ends.map(({ uuid }) => hex(uuid))).size,
      `${what}: one end of ${id}: ${describeLife(scheduler)}`,
    ).toBe(1);
    // Nothing else follows an end.
    const first = updates.findIndex(({ state }) => isTerminal(state));
    expect(
      updates.slice(first).every(({ state }) => isTerminal(state)),
      `${what}: ${describeLife(scheduler)}`,
    ).toBe(true);
    expect(machine.started.filter((started) => started === id).length, `${what}: starts of ${id}`).toBeLessThanOrEqual(
      1,
    );
    const end = ends[0]?.state;
    const ran = updates.some(({ state }) => state === TASK_RUNNING);
    // What ran ends as it did; only what was never started may be lost.
    if (ran) expect(end, `${what}: ${describeLife(scheduler)}`).toBe(id === "ends" ? TASK_FINISHED : TASK_KILLED);
    else expect(end, what).not.toBe(TASK_FINISHED);
  }
  expect(machine.running, `${what}: containers left`).toBe(0);
}

describe("a life with one fault in its checkpoints", () => {
  it("has no fault to begin with", async () => {
    const { operations } = await live(NEVER, "EIO");
    expect(operations).toContain("append task.updates");
    expect(operations).toContain("replace slave.info");
    expect(operations).toContain("touch executor.sentinel");
  });

  it.each(["ENOSPC", "EIO", "killed before", "killed within"] as const)(
    "%s, at each operation",
    async (fault) => {
      let next = 0;
      let last = false;
      const worker = async (): Promise<void> => {
        while (!last) {
          const { happened } = await live(next++, fault);
          if (!happened) last = true;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      expect(next).toBeGreaterThan(30);
    },
    300_000,
  );
});
