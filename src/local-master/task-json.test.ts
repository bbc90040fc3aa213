import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { TaskSchema, TaskState } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { taskJson } from "./task-json.ts";

it("a task tells its container and where it is, as `mesos task exec` asks a master", () => {
  const task = create(TaskSchema, {
    name: "t",
    taskId: { value: "t" },
    frameworkId: { value: "f" },
    agentId: { value: "a" },
    state: TaskState.TASK_RUNNING,
    limits: { cpus: { value: 1 }, mem: { value: Number.POSITIVE_INFINITY } },
    statuses: [
      {
        taskId: { value: "t" },
        state: TaskState.TASK_RUNNING,
        timestamp: 5,
        healthy: false,
        labels: { labels: [{ key: "k", value: "v" }] },
        containerStatus: {
          containerId: { value: "child", parent: { value: "root" } },
          executorPid: 42,
          networkInfos: [{ ipAddresses: [{ ipAddress: "10.0.0.7" }], labels: { labels: [{ key: "n" }] } }],
        },
      },
    ],
  });
  expect(taskJson(task)).toMatchObject({
    limits: { cpus: 1, mem: "Infinity" },
    statuses: [
      {
        state: "TASK_RUNNING",
        timestamp: 5,
        labels: [{ key: "k", value: "v" }],
        container_status: {
          container_id: { value: "child", parent: { value: "root" } },
          network_infos: [{ ip_addresses: [{ ip_address: "10.0.0.7" }], labels: [{ key: "n" }] }],
        },
        healthy: false,
      },
    ],
  });
  expect(JSON.stringify(taskJson(task))).not.toContain("executor_pid");
});
