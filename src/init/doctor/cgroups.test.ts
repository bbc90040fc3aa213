import { describe, expect, it } from "vitest";
import { controllersOf, ownGroup, splitVerdict, type UnifiedPlace, unifiedVerdict } from "./cgroups.ts";

const place = (given: Partial<UnifiedPlace>): UnifiedPlace => ({
  offered: ["cpu", "memory", "pids"],
  isTop: false,
  canWrite: true,
  own: "",
  delegated: [],
  wanted: ["cpu", "memory"],
  ...given,
});

it("the own group is that before the agent moved into its leaf", () => {
  expect(ownGroup("12:cpu:/x\n0::/system.slice/mesos-slave.service/agent\n")).toBe("/system.slice/mesos-slave.service");
  expect(ownGroup("0::/\n")).toBe("");
  expect(ownGroup("2:cpu:/x\n")).toBe("");
});

it("isolators need their controllers", () => {
  expect(controllersOf("cgroups/cpu, cgroups/pids,posix/disk")).toEqual(["cpu", "pids"]);
  expect(controllersOf("cgroups")).toEqual(["cpu", "memory"]);
  expect(["cgroups/io", "cgroups/blkio,cgroups/io"].map(controllersOf)).toEqual([["io"], ["io"]]);
  expect(controllersOf("posix/cpu")).toEqual([]);
});

describe("on cgroup v2 it says what will and will not be held", () => {
  it.each([
    ["root, writable", place({ isTop: true }), true, "the machine's, writable, will be held: cpu, memory"],
    ["a private namespace", place({}), true, "in a cgroup namespace of its own, writable, will be held: cpu, memory"],
    [
      "a mount that may not be written",
      place({ canWrite: false }),
      false,
      "in a cgroup namespace of its own, read-only, will not be held: cpu, memory",
    ],
    [
      "a part that is delegated",
      place({ isTop: true, canWrite: false, own: "/user.slice/app", delegated: ["memory", "pids"] }),
      false,
      "the machine's, delegated in /user.slice/app, will be held: memory, will not be held: cpu",
    ],
    ["what the mount lacks", place({ offered: ["memory"] }), false, "will be held: memory, will not be held: cpu"],
  ])("%s", (_what, given, works, detail) => {
    const verdict = unifiedVerdict(given);
    expect(verdict.works).toBe(works);
    expect(verdict.detail).toContain(detail);
  });

  it("with the fix of the place", () => {
    expect(unifiedVerdict(place({ canWrite: false })).fix).toContain("--privileged");
    expect(unifiedVerdict(place({ canWrite: false, own: "/a/b", delegated: ["memory"] })).fix).toContain(
      "MESOS_CGROUPS_ROOT=a/b/mesos",
    );
    expect(unifiedVerdict(place({ offered: ["memory"] })).fix).toMatch(/hand down cpu .*Delegate=yes/);
  });
});

it("on cgroup v1 it asks for what --isolation needs, too", () => {
  const state = (missing: string[], readOnly: string[]) => (name: string) =>
    missing.includes(name) ? "missing" : readOnly.includes(name) ? "read-only" : "writable";
  expect(splitVerdict(state([], []), "cgroups/cpu,cgroups/pids")).toEqual({ works: true, detail: "cgroup v1" });
  expect(splitVerdict(state(["pids"], ["blkio"]), "cgroups/cpu")?.works).toBe(true);
  expect(splitVerdict(state(["pids"], ["blkio"]), "cgroups/pids,cgroups/io")).toEqual({
    works: false,
    detail: "cgroup v1, without pids, blkio read-only",
  });
  expect(splitVerdict(() => "missing", "cgroups")).toBeUndefined();
});
