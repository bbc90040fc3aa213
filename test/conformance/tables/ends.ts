import { type Case, FINISHED, failed, killed, shell, type TaskInit } from "../case.ts";

const grace = (milliseconds: number): Partial<TaskInit> => ({
  killPolicy: { gracePeriod: { nanoseconds: BigInt(milliseconds) * 1_000_000n } },
});
const LONG = "exec sleep 600";
/** It says that it hears TERM before the agent can send one: RUNNING may be told earlier. */
const DEAF = "trap '' TERM; while :; do sleep 0.1; done";

const killedTasks: readonly Case[] = [
  { name: "killed", task: shell(LONG), expected: killed("Command terminated with signal Terminated") },
  {
    name: "killed with a grace of 10 s, obeying at once",
    task: { ...shell(LONG), ...grace(10_000) },
    expected: killed("Command terminated with signal Terminated"),
  },
  {
    name: "killed and deaf",
    task: { ...shell(DEAF), ...grace(300) },
    expected: killed(/^Command terminated with signal (Killed|Terminated)$/),
  },
  {
    name: "killed without grace",
    task: { ...shell(DEAF), ...grace(0) },
    expected: killed(/^Command terminated with signal (Killed|Terminated)$/),
  },
  {
    name: "killed with children",
    task: shell("sleep 600 & sleep 600 & wait"),
    expected: killed(/^Command terminated with signal (Killed|Terminated)$/),
  },
].map((one) => ({ ...one, kill: true }) as const);

const timed: readonly Case[] = [1n, 1_000_000n, 300_000_000n].map(
  (nanoseconds): Case => ({
    name: `a completion time of ${nanoseconds} ns`,
    task: { ...shell(LONG), maxCompletionTime: { nanoseconds } },
    expected: {
      ...failed(/^Command terminated with signal (Killed|Terminated)$/),
      reason: "MAX_COMPLETION_TIME_REACHED",
    },
  }),
);

const COMMAND = 1;
const probe = (value: string, more: object = {}): Partial<TaskInit> => ({
  // Long enough for a look, whatever else runs.
  ...shell("sleep 4"),
  healthCheck: {
    type: COMMAND,
    command: { value },
    delaySeconds: 0,
    intervalSeconds: 0.2,
    gracePeriodSeconds: 0,
    ...more,
  } as never,
});
const RAN: Case["expected"] = { ...FINISHED, message: "Command exited with status 0" };

const HEALTH_LAST = "C++ leaves the health out of the last status; every status of ours says all that is known";
const checked: readonly Case[] = [
  { name: "healthy", task: probe("true"), expected: { ...RAN, healthy: true }, better: HEALTH_LAST },
  {
    name: "healthy, looked at once",
    task: probe("true", { intervalSeconds: 60 }),
    expected: { ...RAN, healthy: true },
    better: HEALTH_LAST,
  },
  {
    name: "unhealthy: killed after three looks",
    task: { ...probe("false"), ...shell(LONG) },
    expected: { ...killed("Command terminated with signal Terminated"), healthy: false },
  },
  {
    name: "unhealthy: killed after one look",
    task: { ...probe("exit 3", { consecutiveFailures: 1 }), ...shell(LONG) },
    expected: { ...killed("Command terminated with signal Terminated"), healthy: false },
  },
  {
    name: "unhealthy in its grace period only",
    task: probe("false", { gracePeriodSeconds: 60 }),
    expected: RAN,
  },
  { name: "a health check that has no time to come", task: probe("false", { delaySeconds: 60 }), expected: RAN },
  {
    name: "a health check that says nothing of times",
    task: { ...shell("true"), healthCheck: { type: COMMAND, command: { value: "true" } } as never },
    expected: RAN,
  },
  ...[0, 1, 127, 255].map((code) => ({
    name: `a check that ends with ${code}`,
    task: {
      ...shell("sleep 1"),
      check: {
        type: COMMAND,
        command: { command: { value: `exit ${code}` } },
        delaySeconds: 0,
        intervalSeconds: 0.2,
        timeoutSeconds: 5,
      } as never,
    },
    expected: RAN,
  })),
];

export const endCases: readonly Case[] = [...killedTasks, ...timed, ...checked];
