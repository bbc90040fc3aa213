import { type Case, FINISHED, refused, shell, type TaskInit } from "../case.ts";

const scalar = (name: string, value: number) => ({ name, type: 0, scalar: { value } });
const ranges = (...range: [number, number][]) => ({
  name: "ports",
  type: 1,
  ranges: { range: range.map(([begin, end]) => ({ begin: BigInt(begin), end: BigInt(end) })) },
});
const resources = (...list: object[]): Partial<TaskInit> => ({ resources: list as never });

/** Optional fields of TaskInfo: absent, empty, zero, huge, odd. Nothing of them changes what becomes of the task. */
const FIELDS: Readonly<Record<string, Partial<TaskInit>>> = {
  "an empty name": { name: "" },
  "a long name": { name: "n".repeat(10_000) },
  "a name with lines": { name: "a\nb\r\tc" },
  "a name of emoji": { name: "😀".repeat(50) },
  "no labels in labels": { labels: { labels: [] } },
  "a label without value": { labels: { labels: [{ key: "k" }] } },
  "an empty label": { labels: { labels: [{ key: "", value: "" }] } },
  "one label twice": {
    labels: {
      labels: [
        { key: "k", value: "1" },
        { key: "k", value: "2" },
      ],
    },
  },
  "a thousand labels": { labels: { labels: Array.from({ length: 1000 }, (_, n) => ({ key: `${n}`, value: "v" })) } },
  "a label of 100 kB": { labels: { labels: [{ key: "k", value: "v".repeat(100_000) }] } },
  "a label named __proto__": { labels: { labels: [{ key: "__proto__", value: "x" }] } },
  "empty data": { data: new Uint8Array() },
  "binary data": { data: new Uint8Array([0, 255, 128, 10]) },
  "data of 500 kB": { data: new Uint8Array(500_000) },
  "discovery with little": { discovery: { visibility: 0 } },
  "discovery with everything": {
    discovery: {
      visibility: 2,
      name: "n",
      environment: "e",
      location: "l",
      version: "v",
      ports: { ports: [{ number: 80, name: "http", protocol: "tcp", visibility: 1 }, { number: 0 }] },
      labels: { labels: [{ key: "k" }] },
    },
  },
  "discovery without ports": { discovery: { visibility: 1, ports: { ports: [] } } },
  "a kill policy without grace": { killPolicy: {} },
  "a kill policy of no grace": { killPolicy: { gracePeriod: { nanoseconds: 0n } } },
  "a kill policy of a nanosecond": { killPolicy: { gracePeriod: { nanoseconds: 1n } } },
  "a kill policy of 100 years": { killPolicy: { gracePeriod: { nanoseconds: 3_153_600_000_000_000_000n } } },
  "a completion time of 0": { maxCompletionTime: { nanoseconds: 0n } },
  "a completion time of an hour": { maxCompletionTime: { nanoseconds: 3_600_000_000_000n } },
  "a completion time of 100 years": { maxCompletionTime: { nanoseconds: 3_153_600_000_000_000_000n } },
  "a container of type MESOS": { container: { type: 2 } },
  "a container with empty mesos info": { container: { type: 2, mesos: {} } },
  "a container without volumes": { container: { type: 2, volumes: [] } },
  "a container with an empty network": { container: { type: 2, networkInfos: [{}] } },
  "a container with empty rlimits": { container: { type: 2, rlimitInfo: {} } },
  "a container with empty linux info": { container: { type: 2, linuxInfo: {} } },
  "a hostname that is empty": { container: { type: 2, hostname: "" } },
  "a little of cpus": resources(scalar("cpus", 0.01), scalar("mem", 32)),
  "cpus in thousandths": resources(scalar("cpus", 0.123), scalar("mem", 32)),
  "cpus with many digits": resources(scalar("cpus", 0.1 + 0.2), scalar("mem", 32)),
  "cpus in two parts": resources(scalar("cpus", 0.1), scalar("cpus", 0.1), scalar("mem", 32)),
  "memory in fractions": resources(scalar("cpus", 0.1), scalar("mem", 32.5)),
  "disk too": resources(scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 1)),
  "one port": resources(scalar("cpus", 0.1), scalar("mem", 32), ranges([31000, 31000])),
  "ports in parts": resources(scalar("cpus", 0.1), scalar("mem", 32), ranges([31010, 31012], [31014, 31014])),
  "ports in parts that touch": resources(
    scalar("cpus", 0.1),
    scalar("mem", 32),
    ranges([31025, 31029], [31020, 31024]),
  ),
};

const harmless: readonly Case[] = Object.entries(FIELDS).map(([name, fields]) => ({
  name,
  task: { ...shell("true"), ...fields },
  expected: FINISHED,
}));

const volume = (more: object): Partial<TaskInit> => ({
  ...shell("echo kept > shown/file && cat shown/file"),
  container: { type: 2, volumes: [more as never] },
});

const NO_VOLUMES = "C++ without an isolator for them fails it: Volumes in ContainerInfo is not supported";
const IN_SILENCE = "C++ without an isolator for it runs the task without what it asked for, and says nothing";

export const fieldCases: readonly Case[] = [
  ...harmless,
  {
    name: "ports in overlapping parts",
    task: {
      ...shell("true"),
      ...resources(scalar("cpus", 0.1), scalar("mem", 32), ranges([31030, 31034], [31032, 31036])),
    },
    alone: true,
    expected: {
      states: ["TASK_ERROR"],
      message: "Resource 'ports:[31030-31034, 31032-31036]' is invalid: Invalid ranges resource: overlapping ranges",
    },
  },
  {
    name: "a read-only folder of the host",
    task: {
      ...shell("touch shown/x 2>/dev/null || echo refused"),
      container: { type: 2, volumes: [{ containerPath: "shown", hostPath: "/usr", mode: 2 } as never] },
    },
    expected: { ...FINISHED, stdout: "refused\n" },
    better: NO_VOLUMES,
  },
  {
    name: "a volume of the sandbox",
    task: volume({ containerPath: "shown", mode: 1, hostPath: "below" }),
    expected: { ...FINISHED, stdout: "kept\n" },
    better: NO_VOLUMES,
  },
  {
    name: "a volume that leaves the sandbox",
    task: volume({ containerPath: "shown", mode: 1, hostPath: "../../up" }),
    expected: refused(/'\.\.\/\.\.\/up' is not a path within the sandbox/),
    better: NO_VOLUMES,
  },
  {
    name: "a volume that is a secret",
    task: volume({
      containerPath: "shown",
      mode: 1,
      source: { type: 3, secret: { type: 2, value: { data: new Uint8Array(1) } } },
    }),
    expected: refused(/has the source SECRET/),
    better: NO_VOLUMES,
  },
  {
    name: "a hostname of its own",
    task: { ...shell("true"), container: { type: 2, hostname: "mine" } },
    expected: refused(/does not support a hostname of its own/),
    better: IN_SILENCE,
  },
  {
    name: "a named network",
    task: { ...shell("true"), container: { type: 2, networkInfos: [{ name: "cni" }] } },
    expected: refused(/does not support a named network/),
    better: "C++ fails it too, in other words (Unknown CNI network)",
  },
];
