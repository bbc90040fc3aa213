import { expect, it } from "vitest";
import { FakeProcesses } from "../../../../test/support/process-table.ts";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { Pace } from "../../../base/pace.ts";
import { TaskState, TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Limitation } from "../../model/isolation.ts";
import { Supervision } from "./supervision.ts";

function start(found?: Limitation, pace?: Pace) {
  const clock = new TestClock();
  const table = new FakeProcesses();
  table.add(10, 1);
  table.add(11, 10);
  const statuses = new Map<string, number>();
  const deadlines: number[] = [];
  const supervision = new Supervision({
    clock,
    log: silentLogger,
    table,
    statusOf: (id) => statuses.get(id),
    announceDeadline: async (_id, at) => {
      deadlines.push(at);
    },
    killGroups: () => undefined,
    limitation: () => found,
    cleanup: () => undefined,
    ...(pace && { pace }),
  });
  const { termination } = supervision.add({ id: "c", tree: { shim: 10, pid: 11 }, since: "1", announced: true });
  const end = (status: number): void => {
    table.end(11);
    table.end(10);
    statuses.set("c", status);
    supervision.ended("c");
  };
  const sent = (signal: string) => table.sent.filter((one) => one.startsWith(signal)).length;
  return { clock, table, supervision, termination, end, sent, deadlines };
}

it("asks, waits for the grace, and kills until nothing is left", async () => {
  const { clock, supervision, termination, end, sent, deadlines } = start();
  const begun = clock.now();
  await supervision.stop("c", 3000);
  expect([sent("SIGTERM"), sent("SIGKILL")]).toEqual([1, 0]);
  await clock.advance(2999);
  expect(sent("SIGKILL")).toBe(0);
  await clock.advance(1);
  expect(sent("SIGKILL")).toBe(1);
  await clock.advance(1500);
  expect(sent("SIGKILL")).toBe(3);
  end(9);
  expect(await termination).toEqual({ status: 9 });
  expect(deadlines).toEqual([begun + 3000]);
  await clock.advance(60_000);
  expect(sent("SIGKILL")).toBe(3);
  supervision.close();
  expect(clock.pending).toBe(0);
});

it("takes a shorter grace from the first call on, never a longer one, and signals once", async () => {
  const { clock, supervision, sent, deadlines } = start();
  const begun = clock.now();
  await supervision.stop("c", 60_000);
  await clock.advance(1000);
  await supervision.stop("c", 90_000);
  await supervision.stop("c", 5000);
  expect(deadlines).toEqual([begun + 60_000, begun + 5000]);
  await clock.advance(3999);
  expect(sent("SIGKILL")).toBe(0);
  await clock.advance(1);
  expect([sent("SIGTERM"), sent("SIGKILL")]).toEqual([1, 1]);
  supervision.close();
});

it("waits no longer than the grace when the clock is set back meanwhile, nor for a shorter one than that", async () => {
  for (const grace of [30_000, 5_000, 0]) {
    const { clock, supervision, sent } = start();
    await supervision.stop("c", 30_000);
    clock.set(-3_600_000);
    await supervision.stop("c", grace);
    await clock.advance(grace);
    expect([grace, sent("SIGKILL")]).toEqual([grace, 1]);
    supervision.close();
  }
});

it("asks first, without any grace, too", async () => {
  const { clock, supervision, table } = start();
  await supervision.stop("c", 0);
  await clock.advance(0);
  const signals = table.sent.map((one) => one.split(" ")[0]).filter((one) => one === "SIGTERM" || one === "SIGKILL");
  expect([...new Set(signals)]).toEqual(["SIGTERM", "SIGKILL"]);
  supervision.close();
});

it("goes on with what was left of a grace", async () => {
  const { clock, supervision, sent } = start();
  supervision.resumeStop("c", clock.now() + 500);
  await clock.advance(499);
  expect(sent("SIGKILL")).toBe(0);
  await clock.advance(1);
  expect(sent("SIGKILL")).toBe(1);
  supervision.close();
});

it("ends a container at its limit, and says so instead of the signal", async () => {
  const { supervision, termination, end, sent } = start();
  const limitation = { reason: TaskStatus_Reason.CONTAINER_LIMITATION_DISK, message: "too much", resources: [] };
  supervision.limit("c", limitation);
  supervision.limit("c", { ...limitation, message: "second" });
  expect(sent("SIGKILL")).toBe(1);
  end(9);
  expect(await termination).toEqual({
    status: 9,
    state: TaskState.TASK_FAILED,
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_DISK,
    message: "too much",
    limitation: [],
  });
  supervision.close();
});

it("asks the isolators why it ended", async () => {
  const found = { reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY, message: "oom", resources: [] };
  const { supervision, termination, end } = start(found);
  end(9);
  expect(await termination).toMatchObject({ status: 9, message: "oom" });
  supervision.close();
});

it("notices that a shim is gone, also when its process id is somebody else's now", async () => {
  const { clock, table, supervision, termination } = start();
  table.end(10);
  table.add(10, 1, 10, "2");
  table.onSignal = (pid, signal) => {
    if (signal === "SIGCONT") table.end(pid);
  };
  await clock.advance(5000);
  expect(await termination).toEqual({
    status: undefined,
    message: "Failed to get exit status for Command: its supervisor (pid 10) was killed",
  });
  expect(table.sent).toEqual(["SIGSTOP 11", "SIGKILL 11", "SIGCONT 11"]);
  supervision.close();
});

it("knows no strangers", async () => {
  const { supervision } = start();
  await supervision.stop("stranger", 0);
  supervision.kill("stranger");
  supervision.ended("stranger");
  expect(supervision.get("stranger")).toBeUndefined();
  supervision.close();
});

it("without any grace sends SIGTERM first all the same, and then SIGKILL", async () => {
  const { clock, table, supervision } = start();
  await supervision.stop("c", 0);
  await clock.advance(0);
  const signals = table.sent.map((one) => one.split(" ")[0]).filter((one) => one === "SIGTERM" || one === "SIGKILL");
  expect(signals).toEqual(["SIGTERM", "SIGKILL"]);
  supervision.close();
});

it("that is killed is not asked any more, and one that has ended is neither", async () => {
  const { clock, supervision, sent, end, deadlines } = start();
  supervision.kill("c");
  await supervision.stop("c", 1000);
  expect([sent("SIGTERM"), sent("SIGKILL"), deadlines]).toEqual([0, 1, []]);
  end(9);
  supervision.kill("c");
  await supervision.stop("c", 1000);
  await clock.advance(60_000);
  expect([sent("SIGTERM"), sent("SIGKILL")]).toEqual([0, 1]);
  supervision.close();
});

it("looks at thousands of containers in many turns, one look at a time, and finds those whose shim is gone", async () => {
  const pace = new Pace(10);
  const { clock, table, supervision } = start(undefined, pace);
  for (let index = 0; index < 1000; index++) {
    table.add(100 + index, 1);
    supervision.add({ id: `c${index}`, tree: { shim: 100 + index, pid: 5000 + index }, since: "1", announced: true });
  }
  table.end(100 + 999);
  const last = supervision.get("c999")?.termination;
  await clock.advance(5000);
  // The next look is due while the first goes on.
  await clock.advance(5000);
  expect(await last).toMatchObject({ message: expect.stringContaining("(pid 1099) was killed") });
  expect(pace.turns).toBeGreaterThanOrEqual(100);
  supervision.close();
});
