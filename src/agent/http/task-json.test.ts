import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import {
  ContainerStatusSchema,
  DiscoveryInfoSchema,
  HealthCheckSchema,
  LabelsSchema,
  TaskSchema,
  TaskState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../mesos/resources-text.ts";
import { taskText } from "./task-json.ts";

const labels = create(LabelsSchema, { labels: [{ key: "a", value: 'b"ü\n' }, { key: "c" }] });
const containerStatus = create(ContainerStatusSchema, {
  executorPid: 42,
  containerId: { value: "c-1" },
  networkInfos: [{ ipAddresses: [{ ipAddress: "10.0.0.1" }] }],
});

it("a task has its keys in the order of Mesos 1.11, each status with its container's, whoever asks and however often", () => {
  const task = create(TaskSchema, {
    name: "web",
    taskId: { value: "web.1" },
    frameworkId: { value: "F" },
    agentId: { value: "S" },
    state: TaskState.TASK_RUNNING,
    resources: parseResources("cpus:0.5;mem:32").allocatedTo("web").toMessages(),
    limits: { cpus: { value: Number.POSITIVE_INFINITY } },
    user: 'o"o',
    labels,
    discovery: create(DiscoveryInfoSchema, { name: "d" }),
    healthCheck: create(HealthCheckSchema, { delaySeconds: 1 }),
    statuses: [
      { taskId: { value: "web.1" }, state: TaskState.TASK_STARTING, timestamp: 1.5, containerStatus, labels },
      { taskId: { value: "web.1" }, state: TaskState.TASK_RUNNING, timestamp: 2, containerStatus, healthy: false },
      { taskId: { value: "web.1" }, state: TaskState.TASK_KILLING, timestamp: 3 },
    ],
  });
  const container_status = {
    network_infos: [{ ip_addresses: [{ protocol: "IPv4", ip_address: "10.0.0.1" }] }],
    executor_pid: 42,
    container_id: { value: "c-1" },
  };
  const shownLabels = [{ key: "a", value: 'b"ü\n' }, { key: "c" }];
  const shown = {
    id: "web.1",
    name: "web",
    framework_id: "F",
    executor_id: "",
    slave_id: "S",
    state: "TASK_RUNNING",
    resources: { cpus: 0.5, gpus: 0, mem: 32, disk: 0 },
    limits: { cpus: "Infinity" },
    role: "web",
    statuses: [
      { state: "TASK_STARTING", timestamp: 1.5, labels: shownLabels, container_status },
      { state: "TASK_RUNNING", timestamp: 2, container_status, healthy: false },
      { state: "TASK_KILLING", timestamp: 3 },
    ],
    user: 'o"o',
    labels: shownLabels,
    discovery: expect.objectContaining({ name: "d" }),
    health_check: expect.objectContaining({ delay_seconds: 1 }),
  };
  for (let round = 0; round < 2; round++) {
    const read = JSON.parse(taskText(task)) as object;
    expect(read).toEqual(shown);
    expect(Object.keys(read)).toEqual(Object.keys(shown));
  }
  // What a status says is said anew: only what never changes is kept.
  task.state = TaskState.TASK_FINISHED;
  task.statuses.pop();
  expect(JSON.parse(taskText(task))).toMatchObject({ state: "TASK_FINISHED", statuses: shown.statuses.slice(0, 2) });
});
