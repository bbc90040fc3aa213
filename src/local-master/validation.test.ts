import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ResourceSchema, TaskInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { taskProblem } from "./validation.ts";

const HTTP = 2;
const COMMAND = 1;
const TCP = 3;
type Task = MessageInitShape<typeof TaskInfoSchema>;
const problem = (task: Task): string | undefined => taskProblem(create(TaskInfoSchema, task));
const ports = (...range: [bigint, bigint][]): Task => ({
  resources: [{ name: "ports", type: 1, ranges: { range: range.map(([begin, end]) => ({ begin, end })) } }],
});
const variables = (
  ...list: NonNullable<NonNullable<NonNullable<Task["command"]>["environment"]>["variables"]>
): Task => ({
  command: { value: "true", environment: { variables: list } },
});

const DOCKER = 1;
type Volume = NonNullable<NonNullable<Task["container"]>["volumes"]>[number];
const volume = (given: Omit<Volume, "$typeName" | "$unknown">): Task => ({
  container: { type: 2, volumes: [{ mode: 1, containerPath: "c", ...given }] },
});
type Secret = NonNullable<
  NonNullable<NonNullable<NonNullable<Task["command"]>["environment"]>["variables"]>[number]["secret"]
>;
const secret = (given: Secret): Task => variables({ name: "A", type: 2, secret: given });
type Resource = Extract<MessageInitShape<typeof ResourceSchema>, { readonly $typeName?: never }>;
const cpus = (value: number, more: Resource = {}) =>
  create(ResourceSchema, { name: "cpus", type: 0, scalar: { value }, ...more });
const disk = (given: NonNullable<Resource["disk"]>, more: Resource = {}) =>
  cpus(1, { name: "disk", reservations: [{ type: 2, role: "r" }], disk: given, ...more });
const RESERVED: Resource = { reservations: [{ type: 1, role: "r" }] };
const persistence = { id: "data" };
const KEPT = { mode: 1, containerPath: "kept" } as const;

test.for<[string, Task]>([
  ["HealthCheck must specify 'type'", { healthCheck: {} }],
  ["Expecting 'command' to be set for COMMAND health check", { healthCheck: { type: COMMAND } }],
  ["must contain 'shell command'", { healthCheck: { type: COMMAND, command: {} } }],
  ["Expecting 'http' to be set for HTTP health check", { healthCheck: { type: HTTP } }],
  [
    "The path 'x' of HTTP health check must start with '/'",
    { healthCheck: { type: HTTP, http: { port: 1, path: "x" } } },
  ],
  ["scheme: 'ftp'", { healthCheck: { type: HTTP, http: { port: 1, scheme: "ftp" } } }],
  ["Expecting 'tcp' to be set for TCP health check", { healthCheck: { type: TCP } }],
  [
    "Expecting 'interval_seconds' to be non-negative",
    { healthCheck: { type: TCP, tcp: { port: 1 }, intervalSeconds: -1 } },
  ],
  ["CheckInfo must specify 'type'", { check: {} }],
  ["Expecting 'command' to be set for COMMAND check", { check: { type: COMMAND } }],
  ["Expecting 'delay_seconds' to be non-negative", { check: { type: TCP, tcp: { port: 1 }, delaySeconds: -0.5 } }],
  ["'kill_policy.grace_period' must be non-negative", { killPolicy: { gracePeriod: { nanoseconds: -1n } } }],
  ["'max_completion_time' must be non-negative", { maxCompletionTime: { nanoseconds: -1n } }],
  ["'A' of type 'VALUE' must have a value set", variables({ name: "A" })],
  ["'A' of type 'SECRET' must have a secret set", variables({ name: "A", type: 2 })],
  [
    "Resource 'ports:[31020-31024, 31022-31026]' is invalid: Invalid ranges resource: overlapping ranges",
    ports([31_020n, 31_024n], [31_022n, 31_026n]),
  ],
  ["overlapping", ports([5n, 9n], [1n, 5n])],
  [
    "must not be 'name'",
    { container: { type: DOCKER, docker: { image: "i", parameters: [{ key: "name", value: "x" }] } } },
  ],
  ["DockerInfo 'docker' is not set", { container: { type: DOCKER } }],
  ["exactly one of", volume({})],
  ["exactly one of", volume({ hostPath: "/x", image: { type: 2 } })],
  ["'source.type' is unknown", volume({ source: {} })],
  ["'source.docker_volume' is not set for DOCKER_VOLUME", volume({ source: { type: 1 } })],
  ["'source.sandbox_path' is not set for SANDBOX_PATH", volume({ source: { type: 2, hostPath: { path: "/x" } } })],
  ["'source.secret' is not set", volume({ source: { type: 3 } })],
  ["'source.host_path' is not set", volume({ source: { type: 4 } })],
  ["'source.csi_volume' is not set", volume({ source: { type: 5 } })],
  ["static_provisioning' is not set", volume({ source: { type: 5, csiVolume: { pluginName: "p" } } })],
  ["must have the 'reference' field set", secret({ type: 1 })],
  ["must not have the 'value' field set", secret({ type: 1, reference: { name: "s" }, value: {} })],
  ["must have the 'value' field set", secret({ type: 2 })],
  ["must not have the 'reference' field set", secret({ type: 2, reference: { name: "s" }, value: {} })],
  ["a null byte", secret({ type: 2, value: { data: new Uint8Array([65, 0]) } })],
  ["The path '' of HTTP check", { check: { type: HTTP, http: { port: 1, path: "" } } }],
  ["scheme: ''", { healthCheck: { type: HTTP, http: { port: 1, scheme: "" } } }],
  ["Only cpus and mem may be included", { limits: { disk: { value: 9 } }, resources: [cpus(1)] }],
  ["a cpu request must also be specified", { limits: { cpus: { value: 9 } } }],
  ["The cpu limit must be greater", { limits: { cpus: { value: 1.9 } }, resources: [cpus(1), cpus(1, RESERVED)] }],
  ["The memory limit must be greater", { limits: { mem: { value: 1 } }, resources: [cpus(2, { name: "mem" })] }],
  ["'gpus' resource must be an unsigned integer", { resources: [cpus(0.5, { name: "gpus" })] }],
  ["both revocable and non-revocable 'cpus'", { resources: [cpus(1), cpus(1, { revocable: {} })] }],
  ["DiskInfo is set but empty", { resources: [disk({})] }],
  ["Non-persistent volume not supported", { resources: [disk({ volume: KEPT })] }],
  ["from unreserved resources", { resources: [disk({ persistence, volume: KEPT }, { reservations: [] })] }],
  ["from revocable resources", { resources: [disk({ persistence, volume: KEPT }, { revocable: {} })] }],
  ["Expecting 'volume' to be set", { resources: [disk({ persistence })] }],
  ["Expecting 'host_path' to be unset", { resources: [disk({ persistence, volume: { ...KEPT, hostPath: "/" } })] }],
  ["Invalid persistence ID", { resources: [disk({ persistence: { id: "a/b" }, volume: KEPT })] }],
])("%s", ([words, task]) => {
  expect(problem(task)).toContain(words);
});

test("what a 1.11 master takes", () => {
  expect(problem({})).toBeUndefined();
  expect(problem(ports([6n, 9n], [1n, 5n]))).toBeUndefined();
  expect(
    problem({ healthCheck: { type: HTTP, http: { port: 80, path: "/health" }, delaySeconds: 0 } }),
  ).toBeUndefined();
  expect(problem({ check: { type: COMMAND, command: { command: { value: "true" } } } })).toBeUndefined();
  expect(problem(variables({ name: "A", value: "" }))).toBeUndefined();
  expect(problem(volume({ hostPath: "/x" }))).toBeUndefined();
  expect(problem(volume({ source: { type: 2, sandboxPath: { type: 2, path: "p" } } }))).toBeUndefined();
  expect(problem(secret({ type: 2, value: { data: new Uint8Array([65]) } }))).toBeUndefined();
  expect(problem({ resources: [disk({ persistence, volume: KEPT }), cpus(1), cpus(0.5, RESERVED)] })).toBeUndefined();
  const limits = { cpus: { value: Number.POSITIVE_INFINITY }, mem: { value: 2 } };
  expect(problem({ limits, resources: [cpus(1), cpus(2, { name: "mem" })] })).toBeUndefined();
});
