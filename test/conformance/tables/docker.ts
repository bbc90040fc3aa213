import { type Case, type Expected, refused, type TaskInit } from "../case.ts";

const [HOST, BRIDGE, NONE] = [1, 2, 3];

const docker = (more: object = {}, container: object = {}): Partial<TaskInit> =>
  ({ container: { type: 1, docker: { image: "box:1", network: HOST, ...more }, ...container } }) as never;
const sh = (value: string, more?: object): Partial<TaskInit> => ({ command: { shell: true, value, ...more } as never });
const ports = (begin: number, end = begin) => [
  { name: "cpus", type: 0, scalar: { value: 0.1 } },
  { name: "mem", type: 0, scalar: { value: 32 } },
  { name: "ports", type: 1, ranges: { range: [{ begin: BigInt(begin), end: BigInt(end) }] } },
];

const ENDED = { states: ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"] } as const satisfies Expected;
const says = (stdout: string): Expected => ({ ...ENDED, message: "Container exited with status 0", stdout });
const exits = (code: number): Expected => ({
  states: ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"],
  message: `Container exited with status ${code}`,
});

/** Ids of tasks become labels, not names; in a path or a bind they would be cut at their colons. */
const ids: readonly Case[] = [
  "job:1 in Docker",
  "ct:1462521258082:0:report:",
  "ünï 😀",
  "a/../b".replaceAll("/", ":"),
  "-v",
  "$(id)",
].map((id) => ({
  name: `Docker id ${id}`,
  task: { taskId: { value: `docker ${id}` }, ...sh('echo "$MESOS_SANDBOX"'), ...docker() },
  expected: says("/mnt/mesos/sandbox\n"),
}));

const commands: readonly Case[] = [
  { name: "Docker: a shell line", task: { ...sh("echo a; echo b"), ...docker() }, expected: says("a\nb\n") },
  ...[1, 2, 125, 126, 127, 137, 143, 255].map((code) => ({
    name: `Docker: exit ${code}`,
    task: { ...sh(`exit ${code}`), ...docker() },
    expected: exits(code),
  })),
  {
    name: "Docker: words as they are",
    task: {
      command: {
        shell: false,
        value: "/bin/sh",
        arguments: ["-c", 'printf "[%s]" "$0" "$@"', "a b", "", "$HOME", "*"],
      } as never,
      ...docker(),
    },
    expected: says("[a b][][$HOME][*]"),
  },
  {
    name: "Docker: a program that is not there",
    task: { command: { shell: false, value: "/no/such/program" } as never, ...docker() },
    expected: refused(/\/no\/such\/program.*no such file/i),
    better: "refused in the daemon's words before it runs; C++ says that the container exited with status 127",
  },
  {
    name: "Docker: variables of odd names and values",
    task: {
      ...sh('printf "%s|%s|%s" "$DOLLAR" "$EMPTY" "$LINES_"', {
        environment: {
          variables: [
            { name: "DOLLAR", value: "$HOME =x" },
            { name: "EMPTY", value: "" },
            { name: "LINES_", value: "a\nb" },
          ],
        },
      }),
      ...docker(),
    },
    expected: says("$HOME =x||a\nb"),
  },
];

const networks: readonly Case[] = [
  {
    name: "Docker: no network",
    task: { ...sh("ls /sys/class/net"), ...docker({ network: NONE }) },
    expected: says("lo\n"),
  },
  {
    name: "Docker: a bridge with a mapped port",
    task: {
      ...sh("true"),
      ...docker({ network: BRIDGE, portMappings: [{ hostPort: 31_500, containerPort: 80, protocol: "tcp" }] }),
      resources: ports(31_500) as never,
    },
    expected: says(""),
  },
  {
    name: "Docker: a mapped port that is not the task's",
    task: {
      ...sh("true"),
      ...docker({ network: BRIDGE, portMappings: [{ hostPort: 31_600, containerPort: 80 }] }),
      resources: ports(31_501) as never,
    },
    expected: refused(/31600/),
  },
  {
    name: "Docker: mapped ports without a network for them",
    task: {
      ...sh("true"),
      ...docker({ network: HOST, portMappings: [{ hostPort: 31_502, containerPort: 80 }] }),
      resources: ports(31_502) as never,
    },
    expected: refused(/port/i),
  },
  {
    name: "Docker: a hostname",
    task: { ...sh("hostname"), ...docker({ network: BRIDGE }, { hostname: "mine" }) },
    expected: says("mine\n"),
  },
  {
    name: "Docker: a hostname on the host's network",
    task: { ...sh("hostname"), ...docker({}, { hostname: "mine" }) },
    expected: refused(/Unable to set hostname with host network mode/),
  },
];

const parameter = (key: string, value: string) => docker({ network: BRIDGE, parameters: [{ key, value }] });
const owned: readonly Case[] = [
  {
    name: "Docker: the parameter name, which masters refuse",
    task: { ...sh("true"), ...parameter("name", "mine") },
    expected: { states: ["TASK_ERROR"], message: /must not be 'name'|name/ },
  },
  {
    name: "Docker: the parameter volumes-from, which takes what is another's",
    task: { ...sh("true"), ...parameter("volumes-from", "mine") },
    expected: refused(/volumes-from/),
    better: "C++ hands it to Docker: another container's volumes are taken",
  },
];

const parameters: readonly Case[] = [
  {
    name: "Docker: a parameter env",
    task: { ...sh("echo $A"), ...parameter("env", "A=1=2") },
    expected: says("1=2\n"),
  },
  {
    name: "Docker: a parameter workdir",
    task: { ...sh("pwd"), ...parameter("workdir", "/tmp") },
    expected: says("/tmp\n"),
  },
  {
    name: "Docker: a parameter user",
    task: { ...sh("id -u"), ...parameter("user", "12345") },
    expected: says("12345\n"),
  },
  {
    name: "Docker: a parameter nobody knows",
    task: { ...sh("true"), ...parameter("no-such-option", "1") },
    expected: refused(/no-such-option/),
  },
  {
    name: "Docker: a label twice",
    task: {
      ...sh("true"),
      ...docker({
        parameters: [
          { key: "label", value: "a=1" },
          { key: "label", value: "a=2" },
        ],
      }),
    },
    expected: says(""),
  },
  ...owned,
];

const volume = (more: object) => docker({}, { volumes: [more] });
const volumes: readonly Case[] = [
  {
    name: "Docker: a folder of the sandbox",
    task: {
      ...sh('echo kept > /data/file; cat "$MESOS_SANDBOX/below/file"'),
      ...volume({ containerPath: "/data", hostPath: "below", mode: 1 }),
    },
    expected: says("kept\n"),
  },
  {
    name: "Docker: a folder of the host, read-only",
    task: {
      ...sh("touch /data/x 2>/dev/null || echo refused"),
      ...volume({ containerPath: "/data", hostPath: "/usr", mode: 2 }),
    },
    expected: says("refused\n"),
  },
  {
    name: "Docker: a folder that leaves the sandbox",
    task: { ...sh("true"), ...volume({ containerPath: "/data", hostPath: "../../up", mode: 1 }) },
    expected: refused(/sandbox/),
    better: "C++ mounts what lies there",
  },
  {
    name: "Docker: a path in the container with a colon",
    task: { ...sh("ls -d '/da:ta'"), ...volume({ containerPath: "/da:ta", hostPath: "below", mode: 1 }) },
    expected: says("/da:ta\n"),
    better: "C++ fails it: it writes binds as text",
  },
];

const images: readonly Case[] = [
  {
    name: "Docker: an image that is nowhere",
    task: { ...sh("true"), ...docker({ image: "127.0.0.1:1/none:1" }) },
    expected: refused(/127\.0\.0\.1:1\/none/),
  },
  {
    name: "Docker: no name of an image",
    task: { ...sh("true"), ...docker({ image: "UPPER CASE" }) },
    expected: refused(/UPPER CASE/),
  },
];

/** Fields that are there and empty, or not there at all. */
const ABSENT: Readonly<Record<string, Partial<TaskInit>>> = {
  "a network that nobody names": { container: { type: 1, docker: { image: "box:1" } } as never },
  "no mappings": docker({ network: BRIDGE, portMappings: [] }),
  "an empty network info": docker({ network: BRIDGE }, { networkInfos: [{}] }),
  "an empty hostname": docker({ network: BRIDGE }, { hostname: "" }),
  "no pull by force": docker({ forcePullImage: false }),
  "a variable without a value": docker({ parameters: [{ key: "env", value: "EMPTY=" }] }),
  "an empty volume driver": docker({ volumeDriver: "" }),
  "no rlimits": docker({}, { rlimitInfo: {} }),
  "an empty linux info": docker({}, { linuxInfo: {} }),
  "an empty mesos info beside it": docker({}, { mesos: {} }),
  "an empty environment": { ...docker(), ...sh("true", { environment: {} }) },
  "an empty user": { ...docker(), ...sh("true", { user: "" }) },
  "no grace": { ...docker(), killPolicy: {} },
  "no completion time": { ...docker(), maxCompletionTime: { nanoseconds: 0n } as never },
};
const absent: readonly Case[] = Object.entries(ABSENT).map(([name, task]) => ({
  name: `Docker: ${name}`,
  task: { ...sh("true"), ...task },
  expected: says(""),
}));

const refusals: readonly Case[] = [
  {
    name: "Docker: a parameter env that is empty",
    task: { ...sh("true"), ...docker({ parameters: [{ key: "env", value: "" }] }) },
    expected: refused(/env/),
  },
  {
    name: "Docker: no Docker info at all",
    task: { ...sh("true"), container: { type: 1 } as never },
    // By a 1.11 master itself.
    expected: { states: ["TASK_ERROR"], message: /DockerInfo 'docker' is not set/ },
  },
  {
    name: "Docker: an empty name of an image",
    task: { ...sh("true"), ...docker({ image: "" }) },
    expected: refused(/image/i),
  },
  {
    name: "Docker: a parameter without a name",
    task: { ...sh("true"), ...docker({ parameters: [{ key: "", value: "x" }] }) },
    expected: refused(/parameter|option/i),
  },
];

const killedTasks: readonly Case[] = [
  {
    name: "Docker: killed",
    task: {
      ...sh("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"),
      ...docker(),
      killPolicy: { gracePeriod: { nanoseconds: 10_000_000_000n } },
    },
    kill: { after: "ready" },
    expected: { states: ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"], message: "Container exited with status 0" },
  },
  {
    name: "Docker: killed and deaf",
    task: {
      ...sh("trap '' TERM; echo ready; while :; do sleep 0.1; done"),
      ...docker(),
      killPolicy: { gracePeriod: { nanoseconds: 300_000_000n } },
    },
    kill: { after: "ready" },
    expected: { states: ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"], message: "Container exited with status 137" },
  },
];

export const dockerCases: readonly Case[] = [
  ...ids,
  ...commands,
  ...networks,
  ...parameters,
  ...volumes,
  ...images,
  ...absent,
  ...refusals,
  ...killedTasks,
];
