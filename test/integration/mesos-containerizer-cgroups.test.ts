import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import type { MesosContainerizer } from "../../src/agent/containerizer/mesos/containerizer.ts";
import { createIsolation } from "../../src/agent/isolators/isolation.ts";
import type { Isolation } from "../../src/agent/model/isolation.ts";
import { loadAgentFlags } from "../../src/agent/settings/load.ts";
import { systemClock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/log.ts";
import { ResourceSchema, TaskState, TaskStatus_Reason, Value_Type } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";
import { missing } from "../support/missing.ts";

let folder: string;
let isolation: Isolation;
let containerizer: MesosContainerizer;
const workDir = `/test-${randomUUID()}`;
/** The folder of an agent's groups is named by its work_dir. */
const group = createHash("sha256").update(workDir).digest("hex").slice(0, 16);

function open(names: readonly string[]): Isolation {
  const words = [
    "--master=127.0.0.1:5050",
    "--cgroups_root=mesos-test",
    `--work_dir=${workDir}`,
    "--cgroups_destroy_timeout=5secs",
    "--cgroups_enable_cfs",
    "--cgroups_pids_limit=50",
    "--container_disk_watch_interval=100ms",
    "--enforce_container_disk_quota",
  ];
  const loaded = loadAgentFlags({ words, environment: {}, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
  return createIsolation(names, { flags: loaded.flags.values, clock: systemClock, log: silentLogger });
}

beforeEach((context) => {
  try {
    isolation = open(["cgroups/cpu", "cgroups/mem", "cgroups/pids", "cgroups/blkio", "posix/disk"]);
  } catch (error) {
    missing(context, `no writable cgroups: ${messageOf(error)}`);
  }
  folder = mkdtempSync(join(tmpdir(), "cgroups-"));
  containerizer = openContainerizer(folder, { isolation });
});
afterEach(async () => {
  for (const { containerId } of containerizer.running()) {
    await containerizer.destroy(containerId);
    await containerizer.wait(containerId);
  }
  await containerizer.close();
  rmSync(folder, { recursive: true });
});
/** The agent's own groups, on cgroup v1 and v2. */
const ownGroups = (): string[] =>
  ["cpu", "cpuacct", "memory", "pids", "blkio", ""]
    .map((controller) => join("/sys/fs/cgroup", controller, "mesos-test", group))
    .filter(existsSync);
const containerGroups = (): string[] =>
  ownGroups().flatMap((own) => {
    const entries = readdirSync(own, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(own, name));
  });
afterAll(() => {
  for (const own of ownGroups()) rmdirSync(own);
});

const scalar = (name: string, value: number) =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
const spec = (value: string, ...resources: ReturnType<typeof scalar>[]) =>
  containerSpec(folder, randomUUID(), { value }, { resources });
const go = (one: ReturnType<typeof spec>) => containerizer.launch(one, new AbortController().signal);
const groupsOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, "utf8");

it("puts the task and what it starts into groups of its own, and removes them", async () => {
  const one = spec("echo ready; sleep 100 & echo $! > child; wait", scalar("cpus", 0.5), scalar("mem", 64));
  const { pid } = await go(one);
  const name = `/mesos-test/${group}/${one.containerId}`;
  expect(groupsOf(Number(pid))).toContain(name);
  const [own] = isolation.confinement(one.containerId).controlGroups;
  expect(existsSync(String(own))).toBe(true);
  const usage = await containerizer.usage(one.containerId);
  expect(usage?.memLimitBytes).toBe(64n * 1024n * 1024n);
  expect(usage?.cpusLimit).toBe(0.5);
  expect(usage?.memTotalBytes).toBeGreaterThan(0n);
  // The sum over all disks is there though none was used.
  expect(usage?.blkioStatistics?.throttling.at(-1)?.ioServiceBytes.length).toBeGreaterThan(0);
  await containerizer.update(one.containerId, [scalar("cpus", 1), scalar("mem", 128)], {});
  expect((await containerizer.usage(one.containerId))?.memLimitBytes).toBe(128n * 1024n * 1024n);
  await containerizer.destroy(one.containerId);
  expect((await containerizer.wait(one.containerId)).status).toBe(9);
  expect(existsSync(String(own))).toBe(false);
});

it("puts a nested container into its parent's groups, or into groups of its own below them", async () => {
  const parent = spec("sleep 100", scalar("mem", 128));
  await go(parent);
  const own = { ...spec("sleep 100", scalar("mem", 64)), containerId: `${parent.containerId}.own` };
  const shared = {
    ...spec("sleep 100"),
    containerId: `${parent.containerId}.shared`,
    sharesGroupsOf: parent.containerId,
  };
  const [first, second] = [await go(own), await go(shared)];
  const name = `/mesos-test/${group}/${parent.containerId}`;
  expect(groupsOf(Number(first.pid))).toContain(`${name}/mesos/own`);
  expect(groupsOf(Number(second.pid))).toMatch(new RegExp(`${name}(/leaf)?$`, "m"));
  expect((await containerizer.usage(own.containerId))?.memLimitBytes).toBe(64n * 1024n * 1024n);
  const groups = isolation.confinement(own.containerId).controlGroups.map(dirname);
  for (const { containerId } of [own, shared, parent]) {
    await containerizer.destroy(containerId);
    expect((await containerizer.wait(containerId)).status).toBe(9);
  }
  expect(groups.filter((group: string) => existsSync(group))).toEqual([]);
});

it("tells that the task went over its memory", async () => {
  const one = spec(`exec perl -e 'my $x = "a" x (100 * 1024 * 1024); sleep 100'`, scalar("mem", 32));
  await go(one);
  const end = await containerizer.wait(one.containerId);
  expect(end).toMatchObject({
    status: 9,
    state: TaskState.TASK_FAILED,
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
  });
  expect(end.message).toMatch(/^Memory limit exceeded: Requested: 32MB Maximum Used: \S+\n\nMEMORY STATISTICS: \n./);
  expect(end.limitation?.[0]?.name).toBe("mem");
});

it("ends the whole container when the kernel killed a part of it", async () => {
  const one = spec(`perl -e 'my $x = "a" x (100 * 1024 * 1024)'; sleep 100`, scalar("mem", 32));
  await go(one);
  expect((await containerizer.wait(one.containerId)).reason).toBe(TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY);
});

it("ends a task that fills the disk", async () => {
  const one = spec("head -c 5000000 /dev/zero > big; sleep 100", scalar("disk", 2));
  await go(one);
  const end = await containerizer.wait(one.containerId);
  expect(end.reason).toBe(TaskStatus_Reason.CONTAINER_LIMITATION_DISK);
  expect(end.message).toMatch(/^Disk usage \(\S+\) exceeds quota \(2MB\)$/);
});

it("keeps a recovered container in its groups", async () => {
  const one = spec("sleep 100", scalar("mem", 64));
  const { pid } = await go(one);
  const lost = await go(spec("sleep 100", scalar("mem", 64)));
  await containerizer.close();
  isolation = open(["cgroups/cpu", "cgroups/mem", "cgroups/pids", "cgroups/blkio"]);
  containerizer = openContainerizer(folder, { isolation });
  const { environment: _, ...checkpointed } = one;
  expect([...(await containerizer.recover([{ ...checkpointed, pid }]))]).toEqual([one.containerId]);
  expect((await containerizer.usage(one.containerId))?.memLimitBytes).toBe(64n * 1024n * 1024n);
  expect(isolation.confinement(one.containerId).controlGroups.length).toBeGreaterThan(0);
  while (existsSync(`/proc/${lost.pid}`)) await new Promise((resolve) => setTimeout(resolve, 10));
  await expect.poll(containerGroups).toHaveLength(ownGroups().length);
});

it("holds a container to the memory that is ordered, over the agent's end and whatever its tasks have", async () => {
  const one = spec("sleep 100", scalar("mem", 128));
  const { pid } = await go(one);
  const megabytes = async () => {
    const usage = await containerizer.usage(one.containerId);
    return [usage?.memLimitBytes, usage?.memSoftLimitBytes].map((bytes) => Number(bytes) / 1024 / 1024);
  };
  const order = (count: number) => containerizer.limitMemory(one.containerId, count * 1024 * 1024);
  expect(await order(256)).toBe(true);
  expect(await megabytes()).toEqual([256, 256]);
  expect(await order(64)).toBe(true);
  expect(await megabytes()).toEqual([64, 64]);
  await containerizer.close();
  isolation = open(["cgroups/cpu", "cgroups/mem", "cgroups/pids", "cgroups/blkio"]);
  containerizer = openContainerizer(folder, { isolation });
  const { environment: _, ...checkpointed } = one;
  await containerizer.recover([{ ...checkpointed, pid }]);
  expect(await megabytes()).toEqual([64, 64]);
  await containerizer.update(one.containerId, [scalar("mem", 512)], {});
  expect(await megabytes()).toEqual([64, 64]);
  expect(await containerizer.limitMemory(randomUUID(), 1)).toBe(false);
  await containerizer.destroy(one.containerId);
  await containerizer.wait(one.containerId);
  expect(await order(64)).toBe(false);
});

it("ends a container that needs more than the memory that is ordered then", async () => {
  const one = spec("read go < fifo; perl -e 'my $x = \"a\" x (100 * 1024 * 1024); sleep 100'", scalar("mem", 256));
  execFileSync("mkfifo", [join(one.sandbox, "fifo")]);
  await go(one);
  expect(await containerizer.limitMemory(one.containerId, 48 * 1024 * 1024)).toBe(true);
  writeFileSync(join(one.sandbox, "fifo"), "go\n");
  const end = await containerizer.wait(one.containerId);
  expect(end).toMatchObject({ reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY });
  expect(end.message).toContain("Requested: 48MB");
});

it("holds a fork bomb to the limit of processes, and ends all of it", async () => {
  const one = spec("i=0; while [ $i -lt 200 ]; do (sleep 100 & ) ; i=$((i+1)); done; sleep 100", scalar("mem", 128));
  await go(one);
  const limited = containerGroups().find((group) => existsSync(join(group, "pids.max")));
  if (limited === undefined) throw new Error("no group has pids.max");
  const count = (name: string): number => Number(readFileSync(join(limited, name), "utf8"));
  expect(count("pids.max")).toBe(50);
  await expect.poll(() => count("pids.current")).toBe(50);
  const begun = Date.now();
  await containerizer.destroy(one.containerId);
  await containerizer.wait(one.containerId);
  expect(Date.now() - begun).toBeLessThan(5_000);
  expect(existsSync(limited)).toBe(false);
});

it("leaves no group of many short tasks", async () => {
  const count = Number(process.env["SHORT_TASKS"] ?? 200);
  const one = async (): Promise<number | undefined> => {
    const short = spec("true", scalar("cpus", 0.1), scalar("mem", 32));
    await go(short);
    const { status } = await containerizer.wait(short.containerId);
    await containerizer.remove(short.containerId);
    return status;
  };
  const statuses: (number | undefined)[] = [];
  while (statuses.length < count) statuses.push(...(await Promise.all(Array.from({ length: 20 }, one))));
  expect(statuses.every((status) => status === 0)).toBe(true);
  const left = containerGroups();
  console.log(`figure: ${statuses.length} short tasks leave ${left.length} groups`);
  expect(left).toEqual([]);
});
