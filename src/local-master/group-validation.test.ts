import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import {
  ContainerInfo_Type,
  ExecutorInfo_Type,
  ExecutorInfoSchema,
  HealthCheck_Type,
  Image_Type,
  TaskInfoSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { parseResources } from "../mesos/resources-text.ts";
import { type GroupContext, groupProblem } from "./group-validation.ts";

type Executor = MessageInitShape<typeof ExecutorInfoSchema> & { $typeName?: never };
type Task = MessageInitShape<typeof TaskInfoSchema> & { $typeName?: never };
const amounts = (text: string) => parseResources(text).toMessages("pre");
const { DEFAULT, CUSTOM, UNKNOWN } = ExecutorInfo_Type;
const { MESOS, DOCKER } = ContainerInfo_Type;
const EXECUTOR: Executor = {
  type: DEFAULT,
  executorId: { value: "e" },
  frameworkId: { value: "f" },
  resources: amounts("cpus:0.1;mem:32;disk:32"),
};
const TASK: Task = {
  name: "t",
  taskId: { value: "t" },
  agentId: { value: "a" },
  command: { value: "true" },
  resources: amounts("cpus:0.1;mem:32"),
};
const CONTEXT: GroupContext = {
  ...{ agentId: "a", frameworkId: "f", available: parseResources("cpus:1;mem:128;disk:64") },
  ...{ taskExists: (id: string) => id === "old", runningExecutor: undefined, itsContainers: [] },
};
const make = (more: Executor = {}) => create(ExecutorInfoSchema, { ...EXECUTOR, ...more });
const problem = (executor: Executor, tasks: readonly Task[], more: Partial<GroupContext> = {}) =>
  groupProblem(
    tasks.map((task) => create(TaskInfoSchema, { ...TASK, ...task })),
    make(executor),
    { ...CONTEXT, ...more },
  );
const apart = { type: MESOS, linuxInfo: { shareCgroups: false } } as const;

it.each<[string, Executor, readonly Task[], Partial<GroupContext>?]>([
  ["must not be set for 'DEFAULT' executor", { command: { value: "x" } }, [{}]],
  ["must be 'MESOS' for 'DEFAULT'", { container: { type: DOCKER } }, [{}]],
  [
    "'ExecutorInfo.container.mesos.image' must not",
    { container: { type: MESOS, mesos: { image: { type: Image_Type.DOCKER } } } },
    [{}],
  ],
  ["'ExecutorInfo.command' must be set for 'CUSTOM'", { type: CUSTOM }, [{}]],
  [
    "Docker ContainerInfo is not supported on the executor",
    { type: CUSTOM, command: {}, container: { type: DOCKER } },
    [{}],
  ],
  ["Unknown executor type", { type: UNKNOWN }, [{}]],
  ["'shutdown_grace_period' must be non-negative", { shutdownGracePeriod: { nanoseconds: -1n } }, [{}]],
  ["invalid FrameworkID (Actual: g vs Expected: f)", { frameworkId: { value: "g" } }, [{}]],
  ["the executor id", { executorId: { value: "a/b" } }, [{}]],
  [
    "'share_cgroups' field cannot be set to 'true' on executor",
    { container: { type: MESOS, linuxInfo: { shareCgroups: true } } },
    [{}],
  ],
  ["uses less CPUs (None)", { resources: amounts("mem:32;disk:1") }, [{}]],
  ["uses less CPUs (0.001)", { resources: amounts("cpus:0.001;mem:32;disk:1") }, [{}]],
  ["uses less memory (31MB)", { resources: amounts("cpus:0.1;mem:31;disk:1") }, [{}]],
  ["Executor 'e' uses no disk", { resources: amounts("cpus:0.1;mem:32") }, [{}]],
  [
    "are more than available",
    {},
    [{ resources: amounts("cpus:0.5") }, { taskId: { value: "u" }, resources: amounts("cpus:0.5") }],
  ],
  ["Task 't' is invalid: task 't' exists", {}, [{}, {}]],
  ["Task 'old' is invalid", {}, [{}, { taskId: { value: "old" } }]],
  ["the offers are of agent a", {}, [{ agentId: { value: "b" } }]],
  ["Task uses no resources", {}, [{ resources: [] }]],
  ["Task 't' is invalid: Invalid resources", {}, [{ resources: [{ name: "cpus", type: 0, scalar: { value: -1 } }] }]],
  ["Invalid resources: a resource has no name", { resources: [{ type: 0, scalar: { value: 1 } }] }, [{}]],
  ["Docker ContainerInfo is not supported on the task", {}, [{ container: { type: DOCKER, docker: { image: "i" } } }]],
  [
    "HTTP and TCP health checks are not supported for nested containers",
    {},
    [{ container: { type: MESOS, networkInfos: [{}] }, healthCheck: { type: HealthCheck_Type.TCP, tcp: { port: 1 } } }],
  ],
  ["Resource limits may only be set", {}, [{ limits: { cpus: { value: 1 } } }]],
  ["HealthCheck must specify 'type'", {}, [{ healthCheck: {} }]],
  ["is different from executor 'e'", {}, [{ executor: { ...EXECUTOR, name: "another" } }]],
  ["'share_cgroups' must be the same", {}, [{}, { taskId: { value: "u" }, container: apart }]],
  [
    "'share_cgroups' must be the same",
    {},
    [{}],
    { runningExecutor: make(), itsContainers: [create(TaskInfoSchema, { container: apart }).container] },
  ],
  ["not compatible with existing ExecutorInfo", { name: "now" }, [{}], { runningExecutor: make() }],
])("%s", (words, executor, tasks, more) => {
  expect(problem(executor, tasks, more)).toContain(words);
});

it("an executor without a type or a framework is refused", () => {
  const [typeless, foreign] = [make(), make()];
  delete (typeless as { type?: number }).type;
  delete foreign.frameworkId;
  const tasks = [create(TaskInfoSchema, TASK)];
  expect(groupProblem(tasks, typeless, CONTEXT)).toBe("'ExecutorInfo.type' must be set");
  expect(groupProblem(tasks, foreign, CONTEXT)).toBe("'ExecutorInfo.framework_id' must be set");
});

it("what a 1.11 master takes", () => {
  expect(problem({}, [{}])).toBeUndefined();
  expect(problem({}, [{ executor: EXECUTOR }, { taskId: { value: "u" } }])).toBeUndefined();
  expect(problem({}, [{ container: apart, limits: { mem: { value: 64 } } }])).toBeUndefined();
  expect(problem({ type: CUSTOM, command: { value: "x" } }, [{}])).toBeUndefined();
  // A running executor takes nothing more of the offers, however its resources are written.
  const running = clone(ExecutorInfoSchema, make());
  running.resources = Resources.of(running.resources).allocatedTo("r").toMessages();
  const little = parseResources("cpus:0.1;mem:32");
  expect(problem({}, [{}], { runningExecutor: running, available: little })).toBeUndefined();
  expect(problem({}, [{}], { available: little })).toContain("more than available");
});
