import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, sleep } from "../../../base/clock.ts";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import { handDown } from "./delegation.ts";
import type { Controller, Mount } from "./hierarchy.ts";
import { groupsBelow, groupWay, hasRoom, makeRoom, memberGroup, nestedIn, parentOf } from "./nesting.ts";
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

/**
 * All groups of one agent: `<mount>/<cgroups_root>/<agent>/<container id>` for each mount, and below it
 * `mesos/<child>` for a nested container that has its own.
 */
export class Groups {
  readonly #mounts: Map<Controller, Mount>;
  readonly #name: string;

  constructor(mounts: ReadonlyMap<Controller, Mount>, cgroupsRoot: string, agent: string) {
    this.#mounts = new Map(mounts);
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
    return this.#places(id).map(({ path }) => path);
  }

  #places(id: string): Mount[] {
    const places = [...this.#mounts.values()].map(({ path, version }) => ({ path: this.#pathIn(path, id), version }));
    return [...new Map(places.map((place) => [place.path, place])).values()];
  }

  #pathIn(mount: string, id: string): string {
    return join(mount, this.#name, groupWay(id));
  }

  /** The cgroup.procs files that a process of the container enters. */
  members(id: string): string[] {
    return this.#places(id).map(({ path, version }) => join(memberGroup(path, version), "cgroup.procs"));
  }

  /** Whether other containers have groups below this one's. */
  hasNested(id: string, controller: Controller): boolean {
    const mount = this.#mounts.get(controller);
    return mount !== undefined && hasRoom(this.#pathIn(mount.path, id));
  }

  /**
   * Makes the agent's own group in every mount, and on v2 hands the controllers down to it. Returns why some cannot be had,
   * which are done without. Throws a UserError when none can be had.
   */
  prepare(): UserError[] {
    const unified = new Map<string, Controller[]>();
    for (const [controller, { version, path }] of this.#mounts) {
      makeGroup(join(path, this.#name));
      if (version === 2 && controller !== "cpuacct") unified.set(path, [...(unified.get(path) ?? []), controller]);
    }
    const lacking = [...unified].flatMap(([path, controllers]) => [
      ...handDown(path, join(path, this.#name), controllers),
    ]);
    for (const [controller] of lacking) this.#mounts.delete(controller);
    const [first] = lacking;
    const isLimiting = [...this.#mounts.keys()].some((controller) => controller !== "cpuacct");
    if (first !== undefined && !isLimiting) throw first[1];
    return lacking.map(([, error]) => error);
  }

  /** Throws a UserError, too, when there can be none below the group of the container that it is nested in. */
  create(id: string): void {
    const parent = parentOf(id);
    for (const { path, version } of parent === undefined ? [] : this.#places(parent)) {
      const controllers = [...this.#mounts].filter(([name, mount]) => mount.version === 2 && name !== "cpuacct");
      if (version === 2)
        makeRoom(
          path,
          controllers.map(([name]) => name),
        );
    }
    for (const path of this.paths(id)) makeGroup(path);
  }

  exists(id: string): boolean {
    return this.paths(id).some((path) => existsSync(path));
  }

  write(id: string, { controller, file, value }: Setting): void {
    const mount = this.#mounts.get(controller);
    if (mount === undefined) return;
    const path = join(this.#pathIn(mount.path, id), file);
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
      return readFileSync(join(this.#pathIn(mount.path, id), file), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Ends whatever is left in the groups and removes them; rejects when that did not succeed in `milliseconds`. */
  async remove(id: string, clock: Clock, milliseconds: number): Promise<void> {
    const end = clock.monotonic() + milliseconds;
    for (const path of this.paths(id).flatMap((own) => [...groupsBelow(own), own])) {
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
      const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      return names.flatMap((name) => [...nestedIn(join(path, this.#name, name), name), name]);
    });
    return [...new Set(found)];
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
