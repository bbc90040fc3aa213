import { describe, expect, it } from "vitest";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type OutcomeContext, outcomeOf } from "./outcome.ts";

const { TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;
const context: OutcomeContext = { masterTracksExecutors: true, killed: false, unhealthy: false, timedOut: false };
const exited = (code: number) => code << 8;

describe("how a command task ended (mesos-agent-behaviour §5.12)", () => {
  it.each([
    // masterTracksExecutors, killed, wait status, state
    [false, false, 0, TASK_FINISHED],
    [false, true, 0, TASK_FINISHED],
    [false, true, exited(1), TASK_KILLED],
    [false, true, 15, TASK_KILLED],
    [false, false, exited(1), TASK_FAILED],
    [false, false, 9, TASK_FAILED],
    [true, false, 0, TASK_FINISHED],
    [true, true, 0, TASK_KILLED],
    [true, true, exited(1), TASK_KILLED],
    [true, true, 15, TASK_KILLED],
    [true, false, exited(1), TASK_FAILED],
    [true, false, 9, TASK_FAILED],
    [true, false, undefined, TASK_FAILED],
    [true, true, undefined, TASK_KILLED],
  ] as const)("masterTracksExecutors %s, killed %s, wait status %s", (masterTracksExecutors, killed, status, state) => {
    expect(outcomeOf({ status }, { ...context, masterTracksExecutors, killed }).state).toBe(state);
  });

  it.each([
    [exited(3), "Command exited with status 3"],
    [9, "Command terminated with signal Killed"],
    [11 | 0x80, "Command terminated with signal Segmentation fault (core dumped)"],
    [undefined, "Failed to get exit status for Command"],
  ] as const)("wait status %s: %s", (status, message) => {
    expect(outcomeOf({ status }, context).message).toBe(message);
  });

  it("says that a failing health check was the reason", () => {
    expect(outcomeOf({ status: 15 }, { ...context, killed: true, unhealthy: true })).toMatchObject({
      state: TASK_KILLED,
      healthy: false,
    });
    expect(outcomeOf({ status: 15 }, { ...context, killed: true })).not.toHaveProperty("healthy");
  });

  it("tells a task that ran too long from one that was killed", () => {
    const outcome = outcomeOf({ status: 9 }, { ...context, killed: true, timedOut: true });
    expect(outcome).toMatchObject({ state: TASK_FAILED, reason: TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED });
  });

  it("believes a containerizer that ended it", () => {
    const limited = {
      status: 9,
      state: TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: "Memory limit exceeded",
      limitation: [],
    };
    expect(outcomeOf(limited, { ...context, killed: true })).toEqual({
      state: limited.state,
      reason: limited.reason,
      message: limited.message,
      limitation: [],
    });
  });
});
