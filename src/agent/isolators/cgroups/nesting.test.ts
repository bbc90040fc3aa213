import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { groupsBelow, groupWay, makeRoom, memberGroup, nestedIn, parentOf } from "./nesting.ts";
import { oomKills } from "./statistics.ts";

let group: string;
beforeEach(() => {
  group = join(mkdtempSync(join(tmpdir(), "nesting-")), "root");
  mkdirSync(group);
});
afterEach(() => rmSync(join(group, ".."), { recursive: true }));

/** The files that the kernel gives a v2 group. */
function kernel(path: string, procs = ""): void {
  mkdirSync(path, { recursive: true });
  for (const [name, text] of [
    ["cgroup.type", "domain"],
    ["cgroup.procs", procs],
    ["cgroup.controllers", "cpu memory"],
    ["cgroup.subtree_control", ""],
  ] as const)
    writeFileSync(join(path, name), text);
}

describe("groups of nested containers", () => {
  it("lie below their parent's, as Mesos names them", () => {
    expect([groupWay("root"), groupWay("root.child")]).toEqual(["root", "root/mesos/child"]);
    expect([parentOf("root"), parentOf("root.child")]).toEqual([undefined, "root"]);
  });

  it("are found again, the deepest first", () => {
    mkdirSync(join(group, "mesos", "a"), { recursive: true });
    mkdirSync(join(group, "leaf"));
    expect(nestedIn(group, "root")).toEqual(["root.a"]);
    expect(groupsBelow(group).sort()).toEqual([join(group, "leaf"), join(group, "mesos"), join(group, "mesos", "a")]);
    const order = groupsBelow(group);
    expect(order.indexOf(join(group, "mesos", "a"))).toBeLessThan(order.indexOf(join(group, "mesos")));
  });

  it("on v2 get the controllers of a group that hands them down, whose own processes then enter a leaf", () => {
    kernel(group);
    kernel(join(group, "mesos"));
    expect(memberGroup(group, 2)).toBe(group);
    makeRoom(group, ["cpu", "memory"]);
    expect(readFileSync(join(group, "cgroup.subtree_control"), "utf8")).toContain("+memory");
    expect(memberGroup(group, 2)).toBe(join(group, "leaf"));
    expect(existsSync(join(group, "leaf"))).toBe(true);
    expect(memberGroup(group, 1)).toBe(group);
  });

  it("that run out of memory are not their parent's fault", () => {
    const files: Record<string, string> = {
      "memory.events": "oom 1\noom_kill 1\n",
      "memory.events.local": "oom 0\noom_kill 0\n",
    };
    const read = (name: string) => files[name];
    expect([oomKills(2, read), oomKills(2, read, true)]).toEqual([1, 0]);
    files["memory.events.local"] = "oom 2\noom_kill 0\n";
    expect(oomKills(2, read, true)).toBe(2);
  });
});
