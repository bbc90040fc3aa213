import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TaskInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
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
  ["must not be 'name'", { container: { docker: { image: "i", parameters: [{ key: "name", value: "x" }] } } }],
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
});
