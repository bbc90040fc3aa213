import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../../base/errors.ts";
import { type GroupFiles, handDown } from "./delegation.ts";

const THREADED = new Set(["cpu", "pids"]);
const failed = (code: string): Error => Object.assign(new Error(`${code}: said the kernel`), { code });

interface Group {
  readonly procs: Set<string>;
  readonly handed: Set<string>;
}

/**
 * A v2 hierarchy with the kernel's rules (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint" and
 * "Threads"), as they were met on Linux 6.12.
 */
class Kernel implements GroupFiles {
  readonly groups = new Map<string, Group>();
  readonly controllers: readonly string[];
  /** The machine's top group itself, or that of a cgroup namespace. */
  readonly isNamespaced: boolean;
  /** Groups whose files may be written; all, unless said otherwise. */
  owned: string | undefined;
  /** A process that is born in the top group while another one is moved out of it. */
  born: string | undefined;

  constructor(mount: string, { namespaced = true, controllers = ["cpu", "memory", "pids"] } = {}) {
    this.isNamespaced = namespaced;
    this.controllers = controllers;
    this.#add(mount);
  }
  #add(path: string): void {
    this.groups.set(path, { procs: new Set(), handed: new Set() });
  }
  group(path: string): Group {
    const found = this.groups.get(path);
    if (found === undefined) throw failed("ENOENT");
    return found;
  }
  #isTop = (path: string): boolean => !this.groups.has(dirname(path));
  #offered = (path: string): ReadonlySet<string> =>
    this.#isTop(path) ? new Set(this.controllers) : this.group(dirname(path)).handed;
  /** `domain`, `domain threaded` or `domain invalid`. */
  type(path: string): string {
    const { procs, handed } = this.group(path);
    const parent = this.#isTop(path) ? "domain" : this.type(dirname(path));
    if (parent !== "domain") return "domain invalid";
    const isExempt = this.#isTop(path) && !this.isNamespaced;
    return !isExempt && procs.size > 0 && [...handed].some((one) => THREADED.has(one)) ? "domain threaded" : "domain";
  }
  has = (path: string): boolean =>
    basename(path) === "cgroup.type" ? this.isNamespaced || !this.#isTop(dirname(path)) : this.groups.has(path);
  read = (path: string): string => {
    const folder = dirname(path);
    const { procs, handed } = this.group(folder);
    switch (basename(path)) {
      case "cgroup.procs":
        return [...procs].map((pid) => `${pid}\n`).join("");
      case "cgroup.subtree_control":
        return `${[...handed].join(" ")}\n`;
      case "cgroup.controllers":
        return `${[...this.#offered(folder)].join(" ")}\n`;
      default:
        throw failed("ENOENT");
    }
  };
  make = (folder: string): void => {
    if (this.groups.has(folder)) return;
    this.make(dirname(folder));
    this.#add(folder);
  };
  write = (path: string, text: string): void => {
    const folder = dirname(path);
    if (this.owned !== undefined && folder !== this.owned && !folder.startsWith(`${this.owned}/`))
      throw failed("EACCES");
    if (basename(path) === "cgroup.procs") this.#enter(folder, text);
    else this.#control(folder, text);
  };
  #enter(folder: string, pid: string): void {
    if (this.type(folder) === "domain invalid") throw failed("EOPNOTSUPP");
    if (this.group(folder).handed.has("memory")) throw failed("EBUSY");
    for (const [other, group] of this.groups) {
      if (other !== folder && group.procs.delete(pid) && this.born !== undefined) {
        group.procs.add(this.born);
        this.born = undefined;
      }
    }
    this.group(folder).procs.add(pid);
  }
  #control(folder: string, text: string): void {
    const { procs, handed } = this.group(folder);
    const name = text.slice(1);
    if (text.startsWith("-")) {
      handed.delete(name);
      return;
    }
    if (!this.#offered(folder).has(name)) throw failed("ENOENT");
    if (!THREADED.has(name)) {
      if (this.type(folder) !== "domain") throw failed("ENOTSUP");
      if (procs.size > 0 && this.has(join(folder, "cgroup.type"))) throw failed("EBUSY");
    }
    handed.add(name);
  }
}

const MOUNT = "/sys/fs/cgroup";
const all = ["cpu", "memory", "pids"] as const;

/** A hierarchy with these groups, and processes in some. */
function hierarchy(
  options: ConstructorParameters<typeof Kernel>[1],
  groups: Readonly<Record<string, string[]>>,
): Kernel {
  const kernel = new Kernel(MOUNT, options);
  for (const [path, pids] of Object.entries(groups)) {
    kernel.make(join(MOUNT, path));
    for (const pid of pids) kernel.group(join(MOUNT, path)).procs.add(pid);
  }
  return kernel;
}
const procs = (kernel: Kernel, path: string): string[] => [...kernel.group(join(MOUNT, path)).procs];
const prepare = (kernel: Kernel, own: string) => {
  kernel.make(join(MOUNT, own));
  const lacking = handDown(MOUNT, join(MOUNT, own), all, kernel);
  return Object.fromEntries([...lacking].map(([controller, error]) => [controller, messageOf(error)]));
};

describe("controllers are handed down", () => {
  it("by the machine's top group without moving anything", () => {
    const kernel = hierarchy({ namespaced: false }, { "": ["1", "2"] });
    expect(prepare(kernel, "mesos/a")).toEqual({});
    expect(procs(kernel, "")).toEqual(["1", "2"]);
    expect(kernel.read(`${MOUNT}/mesos/a/cgroup.subtree_control`)).toBe("cpu memory pids\n");
  });

  it("in a container with a cgroup namespace of its own: its processes move into a leaf, late ones too", () => {
    const kernel = hierarchy({}, { "": ["1", "2"] });
    kernel.born = "3";
    expect(prepare(kernel, "mesos/a")).toEqual({});
    expect(procs(kernel, "")).toEqual([]);
    expect(procs(kernel, "agent").sort()).toEqual(["1", "2", "3"]);
    expect(kernel.type(`${MOUNT}/mesos/a`)).toBe("domain");
    expect(kernel.read(`${MOUNT}/mesos/a/cgroup.subtree_control`)).toBe("cpu memory pids\n");
    expect(prepare(kernel, "mesos/a"), "the second time there is nothing to do").toEqual({});
  });

  it.each(["deleg", "system.slice/mesos-slave.service", "agent"])(
    "by every populated group on the way: %s",
    (group) => {
      const kernel = hierarchy({ namespaced: false }, { "": ["1"], [group]: ["7"] });
      expect(prepare(kernel, `${group}/mesos/a`)).toEqual({});
      expect(procs(kernel, group)).toEqual([]);
      expect(procs(kernel, `${group}/agent`)).toEqual(["7"]);
    },
  );

  it("past a group of the same name as the leaf", () => {
    const kernel = hierarchy({}, { "": ["1"] });
    expect(prepare(kernel, "agent/a")).toEqual({});
    expect(procs(kernel, "agent-itself")).toEqual(["1"]);
  });

  it("by a group that had become threaded", () => {
    const kernel = hierarchy({}, { "": ["1"], "mesos/a": [] });
    kernel.write(`${MOUNT}/cgroup.subtree_control`, "+cpu");
    expect(kernel.type(MOUNT)).toBe("domain threaded");
    expect(prepare(kernel, "mesos/a")).toEqual({});
    expect(procs(kernel, "agent")).toEqual(["1"]);
  });
});

describe("what cannot be had is named with its place and a fix", () => {
  it("what the group above does not hand down, the rest is there", () => {
    const kernel = hierarchy({ namespaced: false }, { "user.slice/app": ["7"] });
    for (const name of ["memory", "pids"]) {
      for (const path of [MOUNT, `${MOUNT}/user.slice`]) kernel.write(`${path}/cgroup.subtree_control`, `+${name}`);
    }
    kernel.owned = `${MOUNT}/user.slice/app`;
    const lacking = prepare(kernel, "user.slice/app/mesos/a");
    expect(Object.keys(lacking)).toEqual(["cpu"]);
    expect(lacking["cpu"]).toContain("'cpu'");
    expect(lacking["cpu"]).toContain(`${MOUNT}/cgroup.subtree_control`);
    expect(lacking["cpu"]).toMatch(/Fix: .*--cgroups_root/);
    expect(kernel.read(`${MOUNT}/user.slice/app/mesos/a/cgroup.subtree_control`)).toBe("memory pids\n");
  });

  it("what its parent lacks", () => {
    const kernel = hierarchy({ controllers: ["memory"] }, {});
    const lacking = prepare(kernel, "mesos");
    expect(Object.keys(lacking)).toEqual(["cpu", "pids"]);
    expect(lacking["pids"]).toMatch(/'\/sys\/fs\/cgroup' does not have the controller 'pids'.*\n.*Delegate=yes/);
  });

  it("processes that cannot be moved", () => {
    const kernel = hierarchy({}, { "": ["1", "0"] });
    expect(prepare(kernel, "mesos")["memory"]).toMatch(/'\/sys\/fs\/cgroup' cannot be moved to .*agent': 0\n.*Fix/);
    const own = hierarchy({}, { mesos: ["9"] });
    expect(prepare(own, "mesos")["cpu"]).toContain("'/sys/fs/cgroup/mesos', which is for containers alone: 9");
  });
});
