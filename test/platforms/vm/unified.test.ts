import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { chownSync, existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import type { MesosContainerizer } from "../../../src/agent/containerizer/mesos/containerizer.ts";
import { createIsolation } from "../../../src/agent/isolators/isolation.ts";
import type { ContainerSpec } from "../../../src/agent/model/container.ts";
import type { Isolation } from "../../../src/agent/model/isolation.ts";
import { loadAgentFlags } from "../../../src/agent/settings/load.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../../src/base/log.ts";
import {
  CgroupInfo_Blkio_Operation,
  CommandInfoSchema,
  ResourceSchema,
  Value_Type,
} from "../../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../../support/container-spec.ts";
import { openContainerizer } from "../../support/containerizer.ts";

/** What only cgroup v2 has, on a machine with nothing else, a swap file, and its disk at /dev/vda. */
const workDir = `/unified-${randomUUID()}`;
/** The folder of an agent's groups is named by its work_dir. */
const own = join("/sys/fs/cgroup/mesos-test", createHash("sha256").update(workDir).digest("hex").slice(0, 16));
let folder: string;
let isolation: Isolation;
let containerizer: MesosContainerizer;
const lines: string[] = [];

function open(names: readonly string[]): Isolation {
  const words = [
    "--master=127.0.0.1:5050",
    "--cgroups_root=mesos-test",
    `--work_dir=${workDir}`,
    "--cgroups_enable_cfs",
    "--cgroups_limit_swap",
    "--cgroups_io_weight=50",
    "--cgroups_io_max=/dev/vda wbps=1MB",
  ];
  const loaded = loadAgentFlags({ words, environment: {}, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
  const log: Logger = { ...silentLogger, warn: (line) => void lines.push(line) };
  return createIsolation(names, { flags: loaded.flags.values, clock: systemClock, log });
}

beforeEach(() => {
  // On the disk: /tmp is memory.
  folder = mkdtempSync("/var/tmp/unified-");
  execFileSync("chmod", ["755", folder]);
  isolation = open(["cgroups/cpu", "cgroups/mem", "cgroups/pids", "cgroups/blkio", "namespaces/cgroup"]);
  containerizer = openContainerizer(folder, { isolation });
});
afterEach(async () => {
  for (const { containerId } of containerizer.running()) await end(containerId);
  await containerizer.close();
  rmSync(folder, { recursive: true });
});
afterAll(() => rmdirSync(own));

const scalar = (name: string, value: number) =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
async function go(value: string, resources: ReturnType<typeof scalar>[], more: Partial<ContainerSpec> = {}) {
  const spec = containerSpec(folder, randomUUID(), { value }, { resources, ...more });
  const [uid, gid] = ["-u", "-g"].map((option) => Number(execFileSync("id", [option, "nobody"])));
  if (more.user === "nobody") chownSync(spec.sandbox, uid ?? 0, gid ?? 0);
  await containerizer.launch(spec, new AbortController().signal);
  return spec;
}
async function end(containerId: string): Promise<void> {
  await containerizer.destroy(containerId);
  await containerizer.wait(containerId);
}
const output = ({ sandbox }: ContainerSpec): string => readFileSync(join(sandbox, "stdout"), "utf8");
const file = ({ containerId }: ContainerSpec, name: string): string =>
  readFileSync(join(own, containerId, name), "utf8").trim();

it("gives 0.25 cpu, and tells who waits for it", async () => {
  const spec = await go("while :; do :; done", [scalar("cpus", 0.25), scalar("mem", 64)]);
  const used = async (): Promise<number> => {
    const usage = await containerizer.usage(spec.containerId);
    return (usage?.cpusUserTimeSecs ?? 0) + (usage?.cpusSystemTimeSecs ?? 0);
  };
  await expect.poll(used).toBeGreaterThan(0.1);
  const [before, since] = [await used(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const share = ((await used()) - before) / ((performance.now() - since) / 1000);
  console.log(`figure: 0.25 cpu is ${share.toFixed(3)}`);
  expect(share).toBeGreaterThan(0.225);
  expect(share).toBeLessThan(0.275);
  const { cpuPressure, memPressure, ioPressure } = (await containerizer.usage(spec.containerId)) ?? {};
  expect(cpuPressure?.full?.totalSecs).toBeGreaterThan(1);
  expect([memPressure?.some?.avg300, ioPressure?.some?.avg300]).toEqual([expect.any(Number), expect.any(Number)]);
  expect(new Map(isolation.figures()).get("containerizer/mesos/cgroups/cpu_pressure_some_secs")).toBeGreaterThan(1);
});

it("holds a writer to the bytes of a second, and counts them", async () => {
  expect(lines).toEqual([]);
  const began = performance.now();
  const spec = await go("dd if=/dev/zero of=big bs=1M count=5 oflag=direct; sleep 1000", [scalar("mem", 64)]);
  const written = async (): Promise<bigint> => {
    const usage = await containerizer.usage(spec.containerId);
    const [disk] = usage?.blkioStatistics?.throttling ?? [];
    return disk?.ioServiceBytes.find(({ op }) => op === CgroupInfo_Blkio_Operation.WRITE)?.value ?? 0n;
  };
  await expect.poll(written).toBeGreaterThanOrEqual(5n << 20n);
  const seconds = (performance.now() - began) / 1000;
  console.log(`figure: 5 MB at 1 MB in a second are written in ${seconds.toFixed(1)} s`);
  expect(seconds).toBeGreaterThan(3.5);
  expect([file(spec, "io.max"), file(spec, "io.weight")]).toEqual([
    expect.stringContaining("wbps=1048576"),
    "default 50",
  ]);
});

it("counts what memory did, and lets it have no swap", async () => {
  const spec = await go("dd if=/dev/zero of=big bs=1M count=100; echo written; sleep 1000", [scalar("mem", 32)], {
    limits: {},
  });
  await expect.poll(() => output(spec) || file(spec, "memory.events")).toMatch(/written|max [1-9]/);
  const usage = await containerizer.usage(spec.containerId);
  expect(usage?.memEvents?.max).toBeGreaterThan(0n);
  expect([file(spec, "memory.swap.max"), usage?.memSwapBytes, usage?.memEvents?.oomKill]).toEqual(["0", 0n, 0n]);
  expect(new Map(isolation.figures()).get("containerizer/mesos/cgroups/mem_events_max")).toBeGreaterThan(0);
});

it("is its user's to share out, and a limit that the container sets itself is not the agent's", async () => {
  const script = `cat /proc/self/cgroup
    mkdir /sys/fs/cgroup/sub /sys/fs/cgroup/rest && echo $$ > /sys/fs/cgroup/rest/cgroup.procs || exit 1
    echo +memory > /sys/fs/cgroup/cgroup.subtree_control && echo 16M > /sys/fs/cgroup/sub/memory.max || exit 2
    (echo 0 > /sys/fs/cgroup/sub/cgroup.procs && exec perl -e 'my $x = "a" x (100 << 20)')
    echo "ended by $?"; sleep 1000`;
  const spec = await go(script, [scalar("mem", 64)], { user: "nobody" });
  await expect.poll(() => output(spec)).toContain("ended by 137");
  expect(output(spec).split("\n")[0]).toBe("0::/");
  // A look for kills comes every two seconds.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const check = create(CommandInfoSchema, { value: "cat /proc/self/cgroup", shell: true });
  expect(await containerizer.run(spec.containerId, check, 60_000)).toEqual({ exitCode: 0 });
  expect(file(spec, "memory.events")).toContain("oom_kill 1");
  const group = dirname(dirname(isolation.confinement(spec.containerId).controlGroups[0] ?? ""));
  await end(spec.containerId);
  expect(existsSync(group)).toBe(false);
});
