import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type Resource,
  ResourceSchema,
  type RLimitInfo,
  RLimitInfo_RLimit_Type,
  RLimitInfoSchema,
  Value_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { selectIsolators } from "../isolation.ts";
import { findControllers, parseMounts } from "./hierarchy.ts";
import { containerGroup, nestedGroups, parentOf } from "./layout.ts";
import { type Allowance, allowanceOf, cpuSettings, memorySettings, orderedMemory, pidsSettings } from "./settings.ts";
import { cpuFiguresV1, cpuFiguresV2, memoryFiguresV1, memoryFiguresV2, oomKills, parseLimit } from "./statistics.ts";

const MB = 1024 * 1024;
const scalar = (name: string, value: number): Resource =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
const allowance = (given: Partial<Allowance>): Allowance => ({
  cpus: undefined,
  memory: undefined,
  cpuLimit: undefined,
  memoryLimit: undefined,
  ...given,
});
const plain = { cfs: false, swap: false };
const shown = (settings: readonly { file: string; value: string }[]) =>
  settings.map(({ file, value }) => `${file}=${value}`);

describe("mounts", () => {
  const hybrid = [
    "tmpfs /sys/fs/cgroup tmpfs rw 0 0",
    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
    "cgroup /elsewhere/memory cgroup rw,memory 0 0",
    "cgroup /sys/fs/cgroup/a\\040b cgroup rw,pids 0 0",
  ].join("\n");
  const entries = parseMounts(hybrid, "/sys/fs/cgroup/");

  it("are found below the hierarchy only, v1 before v2", () => {
    const found = findControllers(entries, ["cpu", "cpuacct", "memory", "pids"], "/sys/fs/cgroup", () => [
      "memory",
      "cpu",
    ]);
    expect(Object.fromEntries(found)).toEqual({
      cpu: { version: 1, path: "/sys/fs/cgroup/cpu,cpuacct" },
      cpuacct: { version: 1, path: "/sys/fs/cgroup/cpu,cpuacct" },
      memory: { version: 2, path: "/sys/fs/cgroup/unified" },
      pids: { version: 1, path: "/sys/fs/cgroup/a b" },
    });
  });

  it("name the controller that is missing", () => {
    expect(() => findControllers(entries, ["memory"], "/sys/fs/cgroup", () => [])).toThrow("'memory' is not mounted");
  });
});

describe("cpu", () => {
  it.each([
    [{ cpus: 0.5 }, plain, ["cpu.shares=512"], ["cpu.weight=50", "cpu.max=max 100000"]],
    [{ cpus: 0 }, plain, ["cpu.shares=2"], ["cpu.weight=1", "cpu.max=max 100000"]],
    [{ cpus: 200 }, plain, ["cpu.shares=204800"], ["cpu.weight=10000", "cpu.max=max 100000"]],
    [
      { cpus: 1.5 },
      { cfs: true, swap: false },
      ["cpu.shares=1536", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"],
      ["cpu.weight=150", "cpu.max=150000 100000"],
    ],
    [
      { cpus: 0.001, cpuLimit: 0.001 },
      plain,
      ["cpu.shares=2", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=1000"],
      ["cpu.weight=1", "cpu.max=1000 100000"],
    ],
    [
      { cpus: 1, cpuLimit: Number.POSITIVE_INFINITY },
      { cfs: true, swap: false },
      ["cpu.shares=1024", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=-1"],
      ["cpu.weight=100", "cpu.max=max 100000"],
    ],
    [{}, plain, [], []],
  ])("%j", (given, options, v1, v2) => {
    expect(shown(cpuSettings(allowance(given), 1, options))).toEqual(v1);
    expect(shown(cpuSettings(allowance(given), 2, options))).toEqual(v2);
  });
});

describe("memory", () => {
  it("has a floor, and a hard limit that is only raised", () => {
    const small = allowance({ memory: MB });
    expect(shown(memorySettings(small, 1, plain, undefined))).toEqual([
      `memory.soft_limit_in_bytes=${32 * MB}`,
      `memory.limit_in_bytes=${32 * MB}`,
    ]);
    expect(shown(memorySettings(small, 1, plain, 64 * MB))).toEqual([`memory.soft_limit_in_bytes=${32 * MB}`]);
    const large = allowance({ memory: 128 * MB });
    expect(shown(memorySettings(large, 2, plain, 64 * MB))).toEqual([
      `memory.low=${128 * MB}`,
      `memory.max=${128 * MB}`,
    ]);
  });

  it("keeps memory and swap above memory in every step", () => {
    const files = (current: number | undefined) =>
      memorySettings(allowance({ memory: 128 * MB }), 1, { cfs: false, swap: true }, current).map(({ file }) => file);
    expect(files(undefined).slice(1)).toEqual(["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]);
    expect(files(64 * MB).slice(1)).toEqual(["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]);
  });

  it("follows the task's own limits", () => {
    const given = allowanceOf([scalar("mem", 64), scalar("mem", 32), scalar("cpus", 1)], {
      mem: { value: Number.POSITIVE_INFINITY },
    });
    expect(allowanceOf([scalar("disk", 1)], {}), "what is not asked for is not limited").toEqual(allowance({}));
    expect(given).toMatchObject({ memory: 96 * MB, cpus: 1, memoryLimit: Number.POSITIVE_INFINITY });
    expect(shown(memorySettings(given, 1, plain, undefined))[1]).toBe("memory.limit_in_bytes=-1");
    expect(shown(memorySettings(given, 2, plain, undefined))[1]).toBe("memory.max=max");
  });
});

describe("memory that somebody ordered", () => {
  const files = (version: 1 | 2, bytes: number, current: number | undefined, swap = true) =>
    shown(orderedMemory(bytes, version, { cfs: false, swap }, current));
  const [limit, both, soft] = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"];

  it("is lowered and raised, memory and swap together above memory in every step, the soft limit last", () => {
    const names = (bytes: number, current: number | undefined) =>
      files(1, bytes, current).map((setting) => setting.replace(`=${bytes}`, ""));
    expect(names(64 * MB, 128 * MB)).toEqual([limit, both, soft]);
    expect(names(128 * MB, 64 * MB)).toEqual([both, limit, soft]);
    expect(names(128 * MB, undefined), "an unlimited one is lowered").toEqual([limit, both, soft]);
    expect(files(1, 64 * MB, 128 * MB, false)).toEqual([`${limit}=${64 * MB}`, `${soft}=${64 * MB}`]);
  });

  it("is both limits of v2, and has Mesos' floor", () => {
    expect(files(2, 64 * MB, 128 * MB)).toEqual([`memory.low=${64 * MB}`, `memory.max=${64 * MB}`]);
    expect(files(2, 1, 128 * MB)).toEqual([`memory.low=${32 * MB}`, `memory.max=${32 * MB}`]);
    expect(files(2, Number.MAX_SAFE_INTEGER, undefined)[1]).toBe("memory.max=9007199254740991");
  });
});

describe("pids", () => {
  const limit = (hard?: bigint): RLimitInfo =>
    create(RLimitInfoSchema, {
      rlimits: [{ type: RLimitInfo_RLimit_Type.RLMT_NPROC, ...(hard !== undefined && { soft: hard, hard }) }],
    });
  it.each([
    ["the agent's limit", undefined, 8192, "8192"],
    ["no limit of the agent's", undefined, 0, "max"],
    ["the task's own", limit(100n), 8192, "100"],
    ["the task's own, above the agent's", limit(20_000n), 8192, "20000"],
    ["none at the task's wish", limit(), 8192, "max"],
    ["as many as Linux has", limit(4_194_304n), 8192, "4194304"],
    ["more than Linux has: RLIM_INFINITY as a number", limit(2n ** 64n - 1n), 8192, "max"],
  ])("%s", (_what, info, pids, value) => {
    expect(shown(pidsSettings(info, { ...plain, pids }))).toEqual([`pids.max=${value}`]);
  });
});

describe("figures", () => {
  const files = (given: Record<string, string>) => (name: string) => given[name];

  it("of v1", () => {
    expect(
      cpuFiguresV1(
        files({ "cpuacct.stat": "user 150\nsystem 50\n" }),
        files({ "cpu.stat": "nr_periods 0\nnr_throttled 0\n" }),
      ),
    ).toEqual({ cpusUserTimeSecs: 1.5, cpusSystemTimeSecs: 0.5 });
    const memory = {
      "memory.stat": "cache 1\ntotal_cache 4096\ntotal_rss 8192\n",
      "memory.limit_in_bytes": "9223372036854771712",
    };
    expect(memoryFiguresV1(files(memory))).toEqual({
      memCacheBytes: 4096n,
      memFileBytes: 4096n,
      memRssBytes: 8192n,
      memAnonBytes: 8192n,
    });
    expect(oomKills(1, files({ "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n" }))).toBe(2);
  });

  it("of v2", () => {
    const stat =
      "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 4\nnr_throttled 1\nthrottled_usec 500000\n";
    expect(cpuFiguresV2(files({ "cpu.stat": stat }))).toEqual({
      cpusUserTimeSecs: 2,
      cpusSystemTimeSecs: 1,
      cpusNrPeriods: 4,
      cpusNrThrottled: 1,
      cpusThrottledTimeSecs: 0.5,
    });
    expect(parseLimit("max\n")).toBeUndefined();
    expect(parseLimit("0\n")).toBe(0);
    for (const none of ["-1\n", "", "x", undefined, String(2 ** 60)]) expect(parseLimit(none)).toBeUndefined();
    expect(parseLimit(String(2 ** 59))).toBe(2 ** 59);
  });

  it("of v2: the kernel's own memory, also where it does not add it up, and what happened", () => {
    const memory = {
      "memory.stat": "anon 1\nkernel_stack 16\npagetables 8\nsock 4\nvmalloc 2\nslab 1\n",
      "memory.events": "low 0\nhigh 1\nmax 12\noom 3\noom_kill 2\n",
    };
    expect(memoryFiguresV2(files(memory))).toMatchObject({
      memKmemUsageBytes: 31n,
      memKmemTcpUsageBytes: 4n,
      memEvents: { low: 0n, high: 1n, max: 12n, oom: 3n, oomKill: 2n, oomGroupKill: 0n },
    });
    expect(memoryFiguresV2(files({ "memory.stat": "kernel 64\nslab 1\n" })).memKmemUsageBytes).toBe(64n);
    expect(memoryFiguresV2(files({}))).toEqual({});
  });

  it.each([
    ["its own limit", "oom 1\noom_kill 0\n", "oom 1\noom_kill 1\n", 1],
    [
      "the machine's memory, or the limit of a group within the container",
      "oom 0\noom_kill 0\n",
      "oom 1\noom_kill 1\n",
      0,
    ],
    ["a kernel that does not say which", undefined, "oom 1\noom_kill 1\n", 1],
    ["a limit for which nothing was killed yet", "oom 1\noom_kill 0\n", "oom 1\noom_kill 0\n", 0],
  ])("of v2: kills for want of memory, %s", (_which, local, events, kills) => {
    const text = { "memory.events": events, ...(local !== undefined && { "memory.events.local": local }) };
    expect(oomKills(2, files(text))).toBe(kills);
  });
});

describe("selectIsolators", () => {
  it("knows aliases and contradictions", () => {
    expect([...selectIsolators(["cgroups", "disk/du", "filesystem/posix"]).keys()]).toEqual([
      "cgroups/cpu",
      "cgroups/mem",
      "disk/du",
      "filesystem/posix",
    ]);
    expect(() => selectIsolators(["process", "cgroups/mem"])).toThrow("both");
    expect(() => selectIsolators(["posix/cpu", "cgroups/cpu"])).toThrow("both");
    expect(() => selectIsolators(["cgroup/cpu"])).toThrow("Unknown or unsupported isolator: cgroup/cpu");
  });
});

describe("groups of nested containers", () => {
  it("lie below their parent's, as Mesos names them", () => {
    expect(containerGroup("/own", "root")).toBe("/own/root");
    expect(containerGroup("/own", "root.child")).toBe("/own/root/mesos/child");
    expect(nestedGroups("/own/root")).toBe("/own/root/mesos");
    expect([parentOf("root"), parentOf("root.child")]).toEqual([undefined, "root"]);
  });
});
