import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { readDetails, readStats } from "../../../docker/answers.ts";
import type { ContainerState, ContainerSummary } from "../../../docker/engine.ts";
import { EngineError } from "../../../docker/errors.ts";
import {
  CommandInfoSchema,
  ContainerInfoSchema,
  ResourceSchema,
  TaskState,
  TaskStatus_Reason,
  Value_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { containerName, label, mountsSandbox, parseName } from "./identity.ts";
import { imagesToRemove } from "./image-collection.ts";
import { parseImageCollection } from "./image-gc-config.ts";
import { Reaper } from "./reaper.ts";
import { recoveryPlan } from "./recovery.ts";
import { updateRequest } from "./resource-settings.ts";
import { execArguments } from "./run-inside.ts";
import { containerStatus, inspectData, runningLabels } from "./running.ts";
import { resourceStatistics } from "./statistics.ts";
import { endOf, hasEnded, terminationOf } from "./termination.ts";

const uuid = (digit: number): string => `${digit}0000000-1111-2222-3333-444444444444`;

describe("names", () => {
  it("are those of each era, and read back", () => {
    expect(containerName("agent-and-container", "S1", uuid(1))).toBe(`mesos-S1.${uuid(1)}`);
    expect(containerName("container", "S1", uuid(1))).toBe(`mesos-${uuid(1)}`);
    expect(parseName(`mesos-20150101-S1.${uuid(1)}`)).toEqual({ agentId: "20150101-S1", containerId: uuid(1) });
    expect(parseName(`mesos-${uuid(1)}`)).toEqual({ agentId: undefined, containerId: uuid(1) });
  });
  it.each(["mesos-slave", "mesos-dns", `mesos-S1.${uuid(1)}.executor`, `my-mesos-${uuid(1)}`, "mesos-"])(
    "%s is nobody's",
    (name) => expect(parseName(name)).toBeUndefined(),
  );
});

describe("recovery", () => {
  const one = (id: string, labels: Record<string, string>, state = "running", name = id): ContainerSummary => ({
    id,
    names: [name],
    imageId: "i",
    state,
    labels,
  });
  const ours = (containerId: string) => ({ [label.agentKey]: "K", [label.containerId]: containerId });

  it("adopts what is expected, ends our own alone, leaves everybody else alone", () => {
    const containers = [
      one("a", ours("expected")),
      one("b", ours("orphan")),
      one("c", ours("dead"), "exited"),
      one("d", { [label.agentKey]: "other", [label.containerId]: "expected" }, "running", `mesos-${uuid(1)}`),
      one("e", {}, "running", `mesos-S1.${uuid(2)}`),
      one("f", {}, "running", `mesos-${uuid(3)}`),
      one("self", ours("myself")),
      one("g", {}, "running", "mesos-slave"),
    ];
    const expected = new Set(["expected", uuid(3)]);
    const plan = recoveryPlan(containers, { agentKey: "K", expected, ownContainerId: "self" });
    expect(Object.fromEntries(plan.adopt)).toEqual({ expected: "a", [uuid(3)]: "f" });
    expect(plan.orphans.map(({ engineId }) => engineId)).toEqual(["b"]);
    expect(plan.dead.map(({ engineId }) => engineId)).toEqual(["c"]);
    expect(plan.doubtful.map(({ engineId }) => engineId)).toEqual(["e"]);
  });

  it("takes a sandbox's mount for proof", () => {
    const mounted = (source: string) =>
      readDetails(
        JSON.stringify({
          Id: "i",
          State: {},
          Config: {},
          HostConfig: {},
          Mounts: [{ Source: source, Destination: "/m" }],
        }),
      );
    expect(mountsSandbox(mounted(`/var/lib/mesos/x/runs/${uuid(1)}`), "/var/lib/mesos", uuid(1))).toBe(true);
    expect(mountsSandbox(mounted(`/var/lib/mesos2/x/runs/${uuid(1)}`), "/var/lib/mesos", uuid(1))).toBe(false);
    expect(mountsSandbox(mounted("/var/lib/mesos"), "/var/lib/mesos", uuid(1))).toBe(false);
  });
});

describe("ends", () => {
  const state = (changes: Partial<ContainerState>): ContainerState => ({
    status: "exited",
    running: false,
    restarting: false,
    oomKilled: false,
    pid: undefined,
    exitCode: 0,
    error: "",
    startedAt: "2026-01-01T00:00:00Z",
    finishedAt: "2026-01-01T00:00:01Z",
    ...changes,
  });
  it("are final: neither running, nor waiting for a restart, nor never started", () => {
    expect(hasEnded(state({}))).toBe(true);
    expect(hasEnded(state({ status: "running", running: true }))).toBe(false);
    expect(hasEnded(state({ status: "restarting", running: true, restarting: true }))).toBe(false);
    expect(hasEnded(state({ status: "created", finishedAt: undefined }))).toBe(false);
    expect(hasEnded(state({ status: "removing" }))).toBe(false);
  });
  it.each([0, 1, 137, 255])("exit code %i is a wait status", (exitCode) => {
    const end = endOf(state({ exitCode }), false);
    expect(terminationOf(end, undefined)).toEqual({
      status: exitCode * 256,
      message: `Container exited with status ${exitCode}`,
    });
  });
  it("memory exhaustion is told apart, unless the agent killed it or the task survived it", () => {
    const oom = state({ exitCode: 137, oomKilled: true });
    expect(terminationOf(endOf(oom, false), 64 << 20)).toEqual({
      status: 137 << 8,
      state: TaskState.TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: "Memory limit of 64MB exceeded; container exited with status 137",
    });
    expect(terminationOf(endOf(oom, true), 64 << 20).reason).toBeUndefined();
    expect(terminationOf(endOf(state({ oomKilled: true }), false), 64 << 20).state).toBeUndefined();
  });
  it("nobody knows have no status", () => expect(terminationOf(undefined, undefined).status).toBeUndefined());
});

describe("TASK_RUNNING", () => {
  const details = (settings: object) =>
    readDetails(
      JSON.stringify({
        Id: "i",
        State: { Pid: 5 },
        Config: {},
        HostConfig: { NetworkMode: "bridge" },
        NetworkSettings: settings,
      }),
    );
  it("carries the address also where Docker 29 dropped it", () => {
    const old = details({ IPAddress: "1.2.3.4", Networks: { bridge: { IPAddress: "1.2.3.4" } } });
    expect(new TextDecoder().decode(inspectData(old))).toBe(`[${old.raw}]`);
    const recent = details({ Networks: { bridge: { IPAddress: "1.2.3.4" } } });
    expect(JSON.parse(new TextDecoder().decode(inspectData(recent)))[0].NetworkSettings.IPAddress).toBe("1.2.3.4");
    expect(runningLabels(recent)).toEqual({ "Docker.NetworkSettings.IPAddress": "1.2.3.4" });
  });
  it("carries no secret of the task", () => {
    const Env = ["A=1", "PASSWORD=s3cret", "B=PASSWORD=2"];
    const inspected = readDetails(
      JSON.stringify({ Id: "i", State: {}, Config: { Env }, HostConfig: {}, NetworkSettings: {} }),
    );
    const shown = JSON.parse(new TextDecoder().decode(inspectData(inspected, new Set(["PASSWORD"]))));
    expect(shown[0].Config.Env).toEqual(["A=1", "B=PASSWORD=2"]);
  });
  it("keeps the task's own network info, and has none without an address", () => {
    const asked = create(ContainerInfoSchema, {
      networkInfos: [{ name: "n", groups: ["g"], ipAddresses: [{ ipAddress: "9.9.9.9" }] }],
    });
    const both = details({ Networks: { bridge: { IPAddress: "1.2.3.4", GlobalIPv6Address: "fd::1" } } });
    const status = containerStatus("cid", both, asked);
    expect(status.networkInfos).toHaveLength(1);
    expect(status.networkInfos[0]).toMatchObject({ name: "n", groups: ["g"] });
    expect(status.networkInfos[0]?.ipAddresses.map(({ ipAddress }) => ipAddress)).toEqual(["1.2.3.4", "fd::1"]);
    expect(status.executorPid).toBe(5);
    expect(containerStatus("cid", details({ Networks: { bridge: {} } }), asked).networkInfos).toEqual([]);
  });
});

describe("updates", () => {
  const now = (memory: number, memorySwap = memory * 2) =>
    readDetails(
      JSON.stringify({
        Id: "i",
        State: {},
        Config: {},
        HostConfig: { Memory: memory, MemorySwap: memorySwap, CpuShares: 512, CpuQuota: 0 },
      }),
    );
  it("raise memory with its swap, and never lower it", () => {
    expect(updateRequest({ CpuShares: 512, Memory: 200 }, now(100))).toEqual({ Memory: 200, MemorySwap: 400 });
    expect(updateRequest({ CpuShares: 512, Memory: 200 }, now(100, -1))).toEqual({ Memory: 200, MemorySwap: -1 });
    expect(updateRequest({ CpuShares: 1024, Memory: 50 }, now(100))).toEqual({ CpuShares: 1024 });
    expect(updateRequest({ CpuShares: 512, Memory: 100 }, now(100))).toBeUndefined();
    expect(updateRequest({ Memory: 100 }, now(0))).toBeUndefined();
  });
});

describe("statistics", () => {
  const resources = [
    create(ResourceSchema, { name: "cpus", type: Value_Type.SCALAR, scalar: { value: 0.5 } }),
    create(ResourceSchema, { name: "mem", type: Value_Type.SCALAR, scalar: { value: 64 } }),
  ];
  const of = (stats: object) => resourceStatistics(readStats(JSON.stringify(stats)), resources, {}, 5_000);
  it("show no limit that no machine has, whatever number stands for it", () => {
    const most = { value: Number.MAX_VALUE };
    const statistics = resourceStatistics(readStats("{}"), resources, { cpus: most, mem: most }, 5_000);
    expect([statistics.cpusLimit, statistics.memLimitBytes]).toEqual([0, 0n]);
    expect(statistics).toMatchObject({ cpusSoftLimit: 0.5, memSoftLimitBytes: 64n * 1024n * 1024n });
  });
  it("of cgroup v1", () => {
    const statistics = of({
      read: "2026-01-01T00:00:00.5Z",
      cpu_stats: {
        cpu_usage: { usage_in_usermode: 2e9, usage_in_kernelmode: 1e9 },
        throttling_data: { periods: 5, throttled_periods: 2, throttled_time: 3e9 },
      },
      memory_stats: { usage: 300, stats: { total_rss: 100, rss: 90, total_cache: 50, total_mapped_file: 7 } },
      pids_stats: { current: 3 },
      networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10 } },
    });
    expect(statistics).toMatchObject({
      timestamp: Date.parse("2026-01-01T00:00:00.5Z") / 1000,
      cpusUserTimeSecs: 2,
      cpusSystemTimeSecs: 1,
      cpusLimit: 0.5,
      cpusNrThrottled: 2,
      cpusThrottledTimeSecs: 3,
      memRssBytes: 100n,
      memCacheBytes: 50n,
      memMappedFileBytes: 7n,
      memTotalBytes: 300n,
      memLimitBytes: 64n << 20n,
      processes: 3,
      netRxBytes: 11n,
      netTxBytes: 2n,
    });
  });
  it("of cgroup v2, and of a daemon that says little", () => {
    expect(of({ memory_stats: { usage: 9, stats: { anon: 4, file: 5, file_mapped: 1 } } })).toMatchObject({
      timestamp: 5,
      memRssBytes: 4n,
      memAnonBytes: 4n,
      memFileBytes: 5n,
      memMappedFileBytes: 1n,
    });
    expect(of({ memory_stats: { usage: 9 } })).toMatchObject({ memRssBytes: 9n, memTotalBytes: 9n });
  });
});

describe("commands inside", () => {
  it("go through a shell, or as they are", () => {
    expect(execArguments(create(CommandInfoSchema, { shell: true, value: "a b" }))).toEqual(["sh", "-c", "a b"]);
    expect(execArguments(create(CommandInfoSchema, { shell: false, value: "a", arguments: ["b c"] }))).toEqual([
      "a",
      "b c",
    ]);
  });
});

describe("image collection", () => {
  const image = (id: string, created: number, bytes = 10, tags = [`${id}:1`]) => ({ id, created, bytes, tags });
  it("takes the longest unused first, and no more than needed", () => {
    const images = [
      image("new", 30),
      image("old", 10),
      image("mid", 20),
      image("used", 1),
      image("kept", 2),
      image("late", 5),
    ];
    const use = {
      images,
      used: new Set(["used"]),
      excluded: ["kept:1"],
      lastUse: new Map([["late", 40_000]]),
      wanted: 15,
    };
    expect(imagesToRemove(use).map(({ id }) => id)).toEqual(["old", "mid"]);
    expect(imagesToRemove({ ...use, wanted: 1e9 }).map(({ id }) => id)).toEqual(["old", "mid", "new", "late"]);
    expect(imagesToRemove({ ...use, wanted: 0 })).toEqual([]);
  });
});

describe("--image_gc_config", () => {
  const settings = { folder: "/", dryRun: true };
  it("is read as Mesos has it", async () => {
    const value = {
      image_disk_headroom: 0.1,
      image_disk_watch_interval: { nanoseconds: 3.6e12 },
      excluded_images: [{ type: "DOCKER", docker: { name: "busybox" } }, { type: "APPC" }],
    };
    const collection = parseImageCollection(value, settings);
    expect(collection).toMatchObject({ headroom: 0.1, interval: 3_600_000, excluded: ["busybox"], dryRun: true });
    const { free, total } = await collection.disk();
    expect(total).toBeGreaterThanOrEqual(free);
  });
  it("names what is wrong", () => {
    expect(() => parseImageCollection({ image_disk_headroom: 2 }, settings)).toThrow(
      /image_gc_config: image_disk_headroom/,
    );
  });
});

describe("dead containers", () => {
  it("go after the delay counted from their end, and again after a failure", async () => {
    const clock = new TestClock(1_000_000);
    const removed: string[] = [];
    let fails = 1;
    const remove = async (id: string): Promise<void> => {
      if (id === "b" && fails-- > 0) throw new EngineError("timeout", "no answer");
      removed.push(id);
    };
    const leftovers = new Reaper({ remove }, 10_000, clock, silentLogger);
    leftovers.add("a", 995_000);
    leftovers.add("b", undefined);
    leftovers.add("old", 1);
    leftovers.add("rm", undefined, true);
    await clock.advance(0);
    await settle();
    expect(removed.sort()).toEqual(["old", "rm"]);
    await clock.advance(5_000);
    expect(removed).toContain("a");
    await clock.advance(5_000);
    expect(removed).not.toContain("b");
    await clock.advance(60_000);
    expect(removed).toContain("b");
    expect(leftovers.count).toBe(0);
    leftovers.close();
    expect(clock.pending).toBe(0);
  });

  it("go a few at a time, however many are due: the next when one is gone", async () => {
    const clock = new TestClock(1_000_000);
    const asked: PromiseWithResolvers<void>[] = [];
    const remove = () => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      return answer.promise;
    };
    const reaper = new Reaper({ remove }, 0, clock, silentLogger);
    for (let index = 0; index < 50; index++) reaper.add(`dead ${index}`, undefined);
    await clock.advance(0);
    expect(asked.length).toBe(4);
    asked[0]?.resolve();
    asked[1]?.reject(new Error("busy"));
    await settle();
    expect(asked.length).toBe(6);
    reaper.close();
    reaper.add("told of too late", undefined);
    for (const { resolve } of asked) resolve();
    await settle();
    expect(asked.length).toBe(6);
    expect(clock.pending).toBe(0);
  });
});
