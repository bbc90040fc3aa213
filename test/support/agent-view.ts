import { create } from "@bufbuild/protobuf";
import type { AgentView, ContainerUsage } from "../../src/agent/http/view.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../../src/agent/model/records.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { parseAttributes } from "../../src/mesos/attributes.ts";
import {
  AgentInfoSchema,
  ContainerStatusSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  ResourceStatisticsSchema,
  TaskInfoSchema,
  TaskSchema,
  TaskState,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";

const frameworkId = "framework-1";

function taskRecord(taskId: string): TaskRecord {
  const resources = parseResources("cpus:0.1;mem:32").allocatedTo("*").toMessages();
  const common = { name: taskId, taskId: { value: taskId }, agentId: { value: "agent-1" }, resources };
  return {
    taskId,
    frameworkId,
    task: create(TaskSchema, {
      ...common,
      frameworkId: { value: frameworkId },
      state: TaskState.TASK_RUNNING,
      statuses: [{ taskId: { value: taskId }, state: TaskState.TASK_RUNNING, timestamp: 1_700_000_000.5 }],
    }),
    info: create(TaskInfoSchema, { ...common, command: { value: "sleep 1000" } }),
    group: undefined,
    masterTracksExecutors: true,
    bucket: "launched",
    kill: undefined,
  };
}

function executorRecord(taskId: string, index: number): ExecutorRecord {
  return {
    executorId: taskId,
    frameworkId,
    info: create(ExecutorInfoSchema, {
      executorId: { value: taskId },
      frameworkId: { value: frameworkId },
      name: `Command Executor (Task: ${taskId}) (Command: sh -c 'sleep 1000')`,
      source: taskId,
      command: { value: "/bin/sleep" },
    }),
    containerId: `container-${index + 1}`,
    directory: `/var/lib/mesos/slaves/agent-1/frameworks/${frameworkId}/executors/${taskId}/runs/container-${index + 1}`,
    kind: "command",
    state: "RUNNING",
    containerizer: undefined,
    pid: undefined,
    tasks: new Map([[taskId, taskRecord(taskId)]]),
    completed: [],
    everDelivered: true,
    since: 1_700_000_000_000,
  };
}

/** One whose task has ended. */
function completedExecutor(taskId: string, index: number): ExecutorRecord {
  const ran = executorRecord(taskId, index);
  const record = taskRecord(taskId);
  record.task.state = TaskState.TASK_FINISHED;
  record.bucket = "terminated";
  return { ...ran, state: "TERMINATED", tasks: new Map(), completed: [record] };
}

const namesOf = (kind: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${kind}-${index}`);

function framework(tasks: number, completed: number): FrameworkRecord {
  const names = namesOf("task", tasks);
  return {
    frameworkId,
    info: create(FrameworkInfoSchema, { name: "marathon", user: "root", id: { value: frameworkId }, checkpoint: true }),
    pid: undefined,
    state: "RUNNING",
    executors: new Map(names.map((name, index) => [name, executorRecord(name, index)])),
    pending: new Map(),
    completedExecutors: namesOf("done", completed).map((name, index) => completedExecutor(name, tasks + index)),
  };
}

const usageOf = (index: number): ContainerUsage => ({
  frameworkId,
  executorId: `task-${index}`,
  executorName: "Command Executor",
  source: `task-${index}`,
  containerId: `container-${index + 1}`,
  statistics: create(ResourceStatisticsSchema, {
    timestamp: 1_700_000_000.25,
    cpusUserTimeSecs: 1.5,
    memRssBytes: 9_007_199_254_740_991n,
  }),
  status: create(ContainerStatusSchema, { executorPid: 42 }),
});

/**
 * An agent with one framework and that many running command tasks, as its pages see it; so many more that have ended, and so
 * many of the running ones measured.
 */
export function agentView({
  tasks,
  completed = 0,
  measured = 1,
}: {
  readonly tasks: number;
  readonly completed?: number;
  readonly measured?: number;
}): AgentView {
  const frameworks = [framework(tasks, completed)];
  const total = parseResources("cpus:8;mem:1024;disk:2048;ports:[31000-32000]");
  const info = create(AgentInfoSchema, {
    hostname: "node-1",
    id: { value: "agent-1" },
    attributes: parseAttributes("rack:2;zone:a"),
  });
  return {
    snapshot: () => ({
      phase: "RUNNING",
      info,
      pid: "slave(1)@10.0.0.1:5051",
      startTime: 1_700_000_000_000,
      capabilities: ["MULTI_ROLE"],
      total,
      masterHostname: undefined,
      masterAddress: undefined,
      drain: undefined,
      frameworks,
      completedFrameworks: [],
      operations: [],
    }),
    containers: {
      ownerOf: () => undefined,
      of: () => undefined,
      kept: () => undefined,
      everOwnerOf: () => undefined,
      limitMemory: async () => "unknown",
      sessions: () => undefined,
      usage: async () => [],
    },
    exec: { isEnabled: true, heartbeat: 30_000, clock: systemClock, log: silentLogger },
    usage: async () => Array.from({ length: measured }, (_, index) => usageOf(index)),
    pulling: () => [],
    flags: new Map([["port", "5051"]]),
    build: { version: "1.11.0", buildTime: 1_600_000_000_000, buildUser: "builder" },
    logDir: undefined,
    externalLogFile: undefined,
    metrics: async () =>
      new Map([
        ["system/cpus_total", 2],
        ["slave/tasks_running", tasks],
      ]),
    troubles: () => new Map(),
    log: { verbosity: 0 },
    processes: () => ["slave(1)", "files"],
    workDir: "/",
    controlGroups: "v2",
    engines: async () => [{ name: "docker", version: "Docker 27.3.1", trouble: undefined }],
    neighbours: async () => ({
      services: [{ name: "mesos", state: "RUNNING", start: 17, exitStatus: 0, problem: "" }],
      verdict: "70 mesos entered the FATAL state",
      forwarder: {
        events: 17,
        lag: { bytes: 300, seconds: 4 },
        servers: [{ server: "logstash:5000", state: "ready" }],
        files: [{ source: "/var/log/a", lagBytes: 300, lagSeconds: 4 }],
      },
    }),
    shortage: () => ({ oomKills: 3, pressure: { cpu: 1.5, memory: 0 } }),
    system: () => ({
      load: [0.1, 0.2, 0.3],
      cpus: 2,
      memoryTotal: 4_000_000_000,
      memoryFree: 1_000_000_000,
      cpuTime: { busy: 30, total: 200 },
    }),
  };
}
