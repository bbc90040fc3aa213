import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Clock, sleep } from "../../../base/clock.ts";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import type { Controller, Mount } from "./hierarchy.ts";
import type { Setting } from "./settings.ts";

/** Milliseconds between attempts to remove a group whose last process is still ending. */
const RETRY = 20;

/** The folder, with a message that names the rights that are missing. */
function makeGroup(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "")) throw error;
    throw new UserError(
      `cannot make the control group '${path}': ${messageOf(error)}`,
      "run the agent as root with writable cgroups (docker run --privileged, or -v /sys/fs/cgroup:/sys/fs/cgroup:rw with --cgroupns=host), or choose --isolation=posix/cpu,posix/mem",
      { cause: error },
    );
  }
}

const pidsOf = (path: string): number[] =>
  readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);

/** One folder whatever the agent is named by: agents whose names lie within each other would remove one another. */
const groupName = (agent: string): string =>
  /^[A-Za-z0-9_-]{1,100}$/.test(agent) ? agent : createHash("sha256").update(agent).digest("hex").slice(0, 16);

/** All groups of one agent: `<mount>/<cgroups_root>/<agent>/<container id>` for each mount. */
export class Groups {
  readonly #mounts: ReadonlyMap<Controller, Mount>;
  readonly #name: string;

  constructor(mounts: ReadonlyMap<Controller, Mount>, cgroupsRoot: string, agent: string) {
    this.#mounts = mounts;
    this.#name = join(cgroupsRoot.replace(/^\/+/, ""), groupName(agent));
  }

  version(controller: Controller): 1 | 2 {
    return this.#mounts.get(controller)?.version ?? 1;
  }

  has(controller: Controller): boolean {
    return this.#mounts.has(controller);
  }

  /** The container's groups, each once. */
  paths(id: string): string[] {
    return [...new Set([...this.#mounts.values()].map(({ path }) => join(path, this.#name, id)))];
  }

  /** Makes the agent's own group in every mount, and on v2 hands the controllers down to it. Throws a UserError. */
  prepare(): void {
    for (const [controller, { version, path }] of this.#mounts) {
      makeGroup(join(path, this.#name));
      if (version === 2 && controller !== "cpuacct") this.#handDown(path, controller);
    }
  }

  #handDown(mount: string, controller: Controller): void {
    let folder = join(mount, this.#name);
    const chain = [folder];
    while (folder !== mount) {
      folder = dirname(folder);
      chain.unshift(folder);
    }
    for (const each of chain) {
      try {
        enable(each, controller);
      } catch (error) {
        if (codeOf(error) !== "EBUSY" || each !== mount) throw error;
        // In a container the top group is not the machine's: no controller is handed down while processes are in it.
        evacuate(mount);
        enable(each, controller);
      }
    }
  }

  create(id: string): void {
    for (const path of this.paths(id)) makeGroup(path);
  }

  exists(id: string): boolean {
    return this.paths(id).some((path) => existsSync(path));
  }

  write(id: string, { controller, file, value }: Setting): void {
    const mount = this.#mounts.get(controller);
    if (mount === undefined) return;
    const path = join(mount.path, this.#name, id, file);
    try {
      writeFileSync(path, value);
    } catch (error) {
      throw new Error(`writing '${value}' to '${path}': ${messageOf(error)}`, { cause: error });
    }
  }

  /** A file of the container's group; undefined when it is not there. */
  read(id: string, controller: Controller, file: string): string | undefined {
    const mount = this.#mounts.get(controller);
    if (mount === undefined) return undefined;
    try {
      return readFileSync(join(mount.path, this.#name, id, file), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Ends whatever is left in the groups and removes them; rejects when that did not succeed in `milliseconds`. */
  async remove(id: string, clock: Clock, milliseconds: number): Promise<void> {
    const end = clock.monotonic() + milliseconds;
    for (const path of this.paths(id)) {
      for (;;) {
        try {
          rmdirSync(path);
          break;
        } catch (error) {
          if (codeOf(error) === "ENOENT") break;
          if (clock.monotonic() >= end) throw error;
        }
        killAll(path);
        await sleep(clock, RETRY);
      }
    }
  }

  /** Containers that have a group. */
  ids(): string[] {
    const found = [...this.#mounts.values()].flatMap(({ path }) => {
      const entries = readdirSync(join(path, this.#name), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    });
    return [...new Set(found)];
  }
}

function enable(folder: string, controller: Controller): void {
  const file = join(folder, "cgroup.subtree_control");
  if (readFileSync(file, "utf8").split(/\s+/).includes(controller)) return;
  writeFileSync(file, `+${controller}`);
}

/** Moves every process of a v2 group one level down. */
function evacuate(mount: string): void {
  const leaf = join(mount, "agent");
  makeGroup(leaf);
  for (const pid of pidsOf(mount)) {
    try {
      writeFileSync(join(leaf, "cgroup.procs"), `${pid}`);
    } catch (error) {
      // It ended meanwhile.
      if (codeOf(error) !== "ESRCH") throw error;
    }
  }
}

function killAll(path: string): void {
  try {
    // 0 stands for a process of another pid namespace, and would mean our own process group.
    for (const pid of pidsOf(path)) if (pid > 1) process.kill(pid, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH" && codeOf(error) !== "ENOENT") throw error;
  }
}
