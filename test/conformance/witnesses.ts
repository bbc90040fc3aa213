import type { TaskInit } from "./case.ts";

const times = { delaySeconds: 0, intervalSeconds: 0.5, timeoutSeconds: 5 };

/** Tasks that have all that a task may have, and run until they are killed. */
export const witnesses: readonly TaskInit[] = [
  {
    name: "a witness",
    taskId: { value: "witness" },
    command: {
      shell: true,
      value: "exec sleep 600",
      environment: { variables: [{ name: "A", value: "1" }] },
      uris: [{ value: "/etc/hostname", extract: false }],
    },
    resources: [
      { name: "cpus", type: 0, scalar: { value: 0.5 } },
      { name: "mem", type: 0, scalar: { value: 64 } },
      { name: "disk", type: 0, scalar: { value: 10 } },
      { name: "ports", type: 1, ranges: { range: [{ begin: 31900n, end: 31901n }] } },
    ],
    labels: { labels: [{ key: "k", value: "v" }] },
    healthCheck: { type: 1, command: { value: "true" }, gracePeriodSeconds: 0, ...times },
    discovery: {
      ...{ visibility: 1, name: "n", environment: "e", location: "l", version: "v" },
      ports: { ports: [{ number: 31_900, name: "http", protocol: "tcp" }] },
      labels: { labels: [{ key: "k", value: "v" }] },
    },
    killPolicy: { gracePeriod: { nanoseconds: 5_000_000_000n } },
    maxCompletionTime: { nanoseconds: 3_600_000_000_000n },
    container: { type: 2, networkInfos: [{}] },
    data: new Uint8Array([1, 2, 3]),
  },
  {
    name: "a plain one",
    taskId: { value: "plain-witness" },
    command: { shell: false, value: "/bin/sleep", arguments: ["sleep", "600"], user: "root" },
    resources: [
      { name: "cpus", type: 0, scalar: { value: 0.1 } },
      { name: "mem", type: 0, scalar: { value: 32 } },
    ],
    check: { type: 1, command: { command: { value: "exit 3" } }, ...times },
  },
].map((task) => task as unknown as TaskInit);
