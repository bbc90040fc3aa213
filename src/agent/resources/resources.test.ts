import { describe, expect, it } from "vitest";
import { Resources } from "../../mesos/resources.ts";
import { formatResources } from "../../mesos/resources-text.ts";
import { countCpuList, readContainerLimits } from "./container-limits.ts";
import { offeredDisk, offeredMemory, planResources, type ResourcesInput } from "./detect.ts";

const GIB = 1024 ** 3;
const free = { cpus: undefined, memory: undefined, sources: [] };
const input: ResourcesInput = {
  given: undefined,
  defaultRole: "*",
  machine: { cpus: 4, memory: 16 * GIB, disk: 100 * GIB },
  limits: free,
  ignoreLimits: false,
};
const offered = (more: Partial<ResourcesInput>): string =>
  formatResources(Resources.of(planResources({ ...input, ...more }).resources));

describe("what is offered", () => {
  it("is detected with room for the system", () => {
    expect(offered({})).toBe("cpus:4; mem:15360; disk:97280; ports:[31000-32000]");
    expect([offeredMemory(GIB), offeredMemory(2 * GIB), offeredMemory(undefined)]).toEqual([512, 1024, 1024]);
    expect([offeredDisk(8 * GIB), offeredDisk(10 * GIB), offeredDisk(undefined)]).toEqual([4096, 5120, 10240]);
    expect(offered({ machine: { cpus: undefined, memory: undefined, disk: undefined } })).toBe(
      "cpus:1; mem:1024; disk:10240; ports:[31000-32000]",
    );
  });

  it("is completed where --resources names a kind under any role, and by exact names", () => {
    expect(offered({ given: "cpus(web):2;mem:100;disk:0;ports:[1-2];mymem:5" })).toBe(
      "cpus(reservations: [(STATIC,web)]):2; mem:100; ports:[1-2]; mymem:5",
    );
    expect(offered({ given: "ephemeral_ports:[1-2]" })).toContain("; ports:[31000-32000]");
  });

  it("has the default role, detected or given without one", () => {
    const text = offered({ given: "cpus:2;mem(*):5", defaultRole: "web" });
    expect(text).toContain("cpus(reservations: [(STATIC,web)]):2");
    expect(text).toContain("disk(reservations: [(STATIC,web)]):97280");
  });

  it("stays within the own container's limits, and says so", () => {
    const limits = { cpus: 1.5, memory: 4 * GIB, sources: ["/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max"] };
    const plan = planResources({ ...input, limits });
    expect(formatResources(Resources.of(plan.resources))).toContain("cpus:1.5; mem:3072;");
    expect(plan.lines).toContain("Offering cpus 1.5 (limit of this container; the machine has 4)");
    expect(plan.lines).toContain("Offering mem 3072 (of this container's limit, 4096 MiB)");
    const told = planResources({ ...input, limits, ignoreLimits: true });
    expect(formatResources(Resources.of(told.resources))).toContain("cpus:4; mem:15360;");
    expect(told.lines.join()).toContain("set aside by --detect_host_resources: /sys/fs/cgroup/cpu.max");
  });

  it("is warned about when there is less, and refused when there is nothing", () => {
    expect(planResources({ ...input, given: "cpus:64;mem:999999" }).warnings).toEqual([
      "--resources offers 64 CPUs, and there are 4",
      "--resources offers 999999 MiB of memory, and there are 16384",
    ]);
    const limits = { cpus: 2, memory: 8 * GIB, sources: ["/sys/fs/cgroup/cpu.max"] };
    const warnings = (given: string, more: object = {}) => planResources({ ...input, given, ...more }).warnings;
    expect(warnings("cpus:4;mem:16384"), "all of it may be given").toEqual([]);
    expect(warnings("disk:1;mem(r):16385")).toEqual(["--resources offers 16385 MiB of memory, and there are 16384"]);
    expect(warnings("cpus:3;mem:8193", { limits })).toEqual([
      "--resources offers 3 CPUs, and there are 2",
      "--resources offers 8193 MiB of memory, and there are 8192",
    ]);
    expect(warnings("cpus:3;mem:8193", { limits, ignoreLimits: true })).toEqual([]);
    expect(() =>
      planResources({ ...input, given: "cpus:0;mem:0;disk:0;ports:[1-1]", machine: input.machine }),
    ).not.toThrow();
    expect(() => planResources({ ...input, given: "cpus:0;mem:0;disk:0;ports:[]" })).toThrow(/nothing to offer|ports/);
    expect(() => planResources({ ...input, given: "cpus" })).toThrow("missing or extra ':'");
  });
});

describe("limits of the own container", () => {
  const limits = (files: Record<string, string>) => readContainerLimits((path) => files[path]);

  it("are read in cgroup v2, the tightest on the way up", () => {
    expect(
      limits({
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "250000 100000\n",
        "/sys/fs/cgroup/a/b/memory.max": "8589934592\n",
        "/sys/fs/cgroup/a/memory.max": "4294967296\n",
      }),
    ).toEqual({ cpus: 2.5, memory: 4 * GIB, sources: ["/sys/fs/cgroup/a/cpu.max", "/sys/fs/cgroup/a/memory.max"] });
    expect(limits({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1024\n" }).memory).toBe(1024);
  });

  it("are read in cgroup v1, also when the path is the host's", () => {
    const files = {
      "/proc/self/cgroup": "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
    };
    expect(limits(files)).toMatchObject({ cpus: 0.5, memory: GIB });
    const none = {
      ...files,
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    };
    expect(limits(none)).toEqual(free);
  });

  it("are the CPUs that this process may run on", () => {
    expect(limits({ "/proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-1,4\n" }).cpus).toBe(3);
    expect(countCpuList("0")).toBe(1);
    expect(countCpuList("nonsense")).toBeUndefined();
    expect(limits({})).toEqual(free);
  });
});
