import { describe, expect, it } from "vitest";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { terminationStatus } from "./ending.ts";

const { TASK_LOST, TASK_FAILED, TASK_GONE } = TaskState;
const R = TaskStatus_Reason;

describe("what tasks are told when their executor's container ended (mesos-wire §3.16)", () => {
  it.each([
    // termination, generated, masterTracksExecutors, state, reason
    [{}, false, false, TASK_LOST, R.EXECUTOR_TERMINATED],
    [{}, true, false, TASK_FAILED, R.COMMAND_EXECUTOR_FAILED],
    [{}, false, true, TASK_FAILED, R.EXECUTOR_TERMINATED],
    [{}, true, true, TASK_FAILED, R.EXECUTOR_TERMINATED],
    [
      { state: TASK_FAILED, reason: R.CONTAINER_LIMITATION_MEMORY },
      false,
      false,
      TASK_FAILED,
      R.CONTAINER_LIMITATION_MEMORY,
    ],
    [{ state: TASK_FAILED, reason: R.CONTAINER_LAUNCH_FAILED }, true, true, TASK_FAILED, R.CONTAINER_LAUNCH_FAILED],
    [
      { state: TASK_GONE, reason: R.EXECUTOR_REREGISTRATION_TIMEOUT },
      false,
      true,
      TASK_GONE,
      R.EXECUTOR_REREGISTRATION_TIMEOUT,
    ],
    [{ state: TASK_FAILED }, false, true, TASK_FAILED, R.EXECUTOR_TERMINATED],
    [{ reason: R.CONTAINER_LIMITATION_DISK }, false, true, TASK_FAILED, R.CONTAINER_LIMITATION_DISK],
  ] as const)(
    "%o, generated %s, masterTracksExecutors %s",
    (termination, generated, masterTracksExecutors, state, reason) => {
      expect(terminationStatus({ status: 9, ...termination }, generated, masterTracksExecutors)).toMatchObject({
        state,
        reason,
      });
    },
  );

  it("says why, in the words of the container, or of the era", () => {
    expect(terminationStatus({ status: 9, message: "out of memory" }, false, true).message).toBe("out of memory");
    expect(terminationStatus({ status: 9 }, false, true).message).toBe("Executor terminated");
    expect(terminationStatus({ status: 9 }, false, false).message).toBe("Abnormal executor termination");
  });
});
