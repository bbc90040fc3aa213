import { type Case, FINISHED, shell, type TaskInit } from "../case.ts";

const HUGE = 2n ** 63n - 1n;
const scalar = (name: string, value: number) => ({ name, type: 0, scalar: { value } });

/** Numbers that are zero, tiny, huge, or none that JSON could hold; of none of them anything ends. */
const NUMBERS: Readonly<Record<string, Partial<TaskInit>>> = {
  "a completion time without end": { maxCompletionTime: { nanoseconds: HUGE } },
  "a grace without end": { killPolicy: { gracePeriod: { nanoseconds: HUGE } } },
  "a grace of 1 ns": { killPolicy: { gracePeriod: { nanoseconds: 1n } } },
  "a health check whose times are 0": {
    healthCheck: {
      type: 1,
      command: { value: "true" },
      ...{ delaySeconds: 0, intervalSeconds: 0, timeoutSeconds: 0, gracePeriodSeconds: 0, consecutiveFailures: 1 },
    } as never,
  },
  "a health check whose times are a year": {
    healthCheck: {
      type: 1,
      command: { value: "true" },
      ...{ delaySeconds: 31_536_000, intervalSeconds: 31_536_000, timeoutSeconds: 31_536_000 },
    } as never,
  },
  "a check whose times are tiny": {
    check: {
      type: 1,
      command: { command: { value: "true" } },
      ...{ delaySeconds: 1e-9, intervalSeconds: 1e-9, timeoutSeconds: 1e9 - 1 },
    } as never,
  },
  "the least of everything": {
    resources: [scalar("cpus", 0.001), scalar("mem", 0.001), scalar("disk", 0.001)] as never,
  },
  "a discovery whose port is the largest number": {
    discovery: { visibility: 0, ports: { ports: [{ number: 4_294_967_295 }] } } as never,
  },
};

/** Limits need the isolators that hold them, which this table's agents have not. */
const limits: readonly Case[] = (["cpus", "mem"] as const).map((name) => ({
  name: `a limit of ${name} without end`,
  task: {
    ...shell("true"),
    resources: [scalar("cpus", 0.1), scalar("mem", 32)] as never,
    limits: { [name]: { value: Number.POSITIVE_INFINITY } as never },
  },
  expected: {
    states: ["TASK_DROPPED"],
    message:
      /limits can only be set on tasks launched in Mesos containers when the agent has loaded the 'cgroups\/(cpu|mem)' isolator/,
  },
}));

export const numberCases: readonly Case[] = [
  ...Object.entries(NUMBERS).map(([name, fields]) => ({
    name,
    task: { ...shell("true"), ...fields },
    expected: FINISHED,
    ...(name === "a grace without end" && { better: "C++'s executor ends before it has registered" }),
  })),
  ...limits,
];
