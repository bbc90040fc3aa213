import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TaskSchema, TaskState, TaskStatus_Reason } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { whyOf } from "./overview.ts";

test("a task's last status says why it is as it is", () => {
  const why = (status: { message?: string; reason?: TaskStatus_Reason }) =>
    whyOf(
      create(TaskSchema, {
        statuses: [{ state: TaskState.TASK_RUNNING }, { state: TaskState.TASK_FAILED, ...status }],
      }),
    );
  expect(whyOf(create(TaskSchema))).toBe("");
  expect(why({})).toBe("");
  expect(why({ message: "exited with status 3" })).toBe("exited with status 3");
  expect(why({ reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED })).toBe("CONTAINER_LAUNCH_FAILED");
  expect(why({ message: "no image", reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED })).toBe(
    "no image (CONTAINER_LAUNCH_FAILED)",
  );
});
