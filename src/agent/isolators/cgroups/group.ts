import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import { handDown } from "./delegation.ts";
import type { Controller, Mount } from "./hierarchy.ts";
import { agentGroup, containerGroup, leafGroup, nestedGroups, parentOf } from "./layout.ts";
import { removeGroup } from "./removal.ts";
import type { Setting } from "./settings.ts";

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

const groupsIn = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : [];

/** All groups of one agent, in each mount, as layout.ts draws them. */
export class Groups {
  readonly #mounts: Map<Controller, Mount>;
  readonly #name: string;

  constructor(mounts: ReadonlyMap<Controller, Mount>, cgroupsRoot: string, agent: string) {
    this.#mounts = new Map(mounts);
    this.#name = agentGroup(cgroupsRoot, agent);
  }

  version(controller: Controller): 1 | 2 {
    return this.#mounts.get(controller)?.version ?? 1;
  }

  has(controller: Controller): boolean {
    return this.#mounts.has(controller);
  }

  /** The container's groups, each once. */
  #groups(id: string): { readonly version: 1 | 2; readonly path: string }[] {
    const mounts = new Map([...this.#mounts.values()].map((mount) => [mount.path, mount]));
    return [...mounts.values()].map(({ version, path }) => ({
      version,
      path: containerGroup(join(path, this.#name), id),
    }));
  }

  /** The container's leaf, and where its hierarchy is mounted; undefined without v2, and for a container without one. */
  leaf(id: string): { readonly path: string; readonly at: string } | undefined {
    const mount = this.unified();
    const path = mount && leafGroup(containerGroup(join(mount.path, this.#name), id));
    return path !== undefined && existsSync(path) ? { path, at: mount?.path ?? "" } : undefined;
  }

  /** Where v2 is mounted, if a controller of it is used. */
  unified(): Mount | undefined {
    return [...this.#mounts.values()].find(({ version }) => version === 2);
  }

  /** The groups that the container's processes are in. A container of an agent before this layout has no leaf. */
  homes(id: string): string[] {
    return this.#groups(id).map(({ version, path }) => {
      const leaf = leafGroup(path);
      return version === 2 && existsSync(leaf) ? leaf : path;
    });
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

  create(id: string): void {
    const parent = parentOf(id);
    for (const { version, path } of parent === undefined ? [] : this.#groups(parent)) {
      makeGroup(nestedGroups(path));
      if (version === 2) this.#handDown(nestedGroups(path));
    }
    for (const { version, path } of this.#groups(id)) {
      makeGroup(path);
      if (version === 2) this.#handOn(path);
    }
  }

  /** What the container's group has, its leaf has too: a container that makes groups of its own can share it out in them. */
  #handOn(group: string): void {
    this.#handDown(group);
    makeGroup(leafGroup(group));
  }

  #handDown(group: string): void {
    const controllers = [...this.#mounts]
      .filter(([name, { version }]) => version === 2 && name !== "cpuacct")
      .map(([name]) => `+${name}`);
    if (controllers.length > 0) setFile(join(group, "cgroup.subtree_control"), controllers.join(" "));
  }

  exists(id: string): boolean {
    return this.#groups(id).some(({ path }) => existsSync(path));
  }

  write(id: string, { controller, file, value }: Setting): void {
    const own = this.#own(controller);
    if (own !== undefined) setFile(join(containerGroup(own, id), file), value);
  }

  /** As `write`, for what the kernel may take long about: it takes memory back, or ends processes. */
  async writeSlowly(id: string, { controller, file, value }: Setting): Promise<void> {
    const own = this.#own(controller);
    if (own === undefined) return;
    const path = join(containerGroup(own, id), file);
    await writeFile(path, value).catch((error: unknown) => {
      throw new Error(`writing '${value}' to '${path}': ${messageOf(error)}`, { cause: error });
    });
  }

  /** A file that every v2 group has, whatever its controllers; undefined without v2. */
  readUnified(id: string | undefined, file: string): string | undefined {
    const unified = [...this.#mounts].find(([, { version }]) => version === 2);
    return unified && this.read(id, unified[0], file);
  }

  /** Whether the agent's own group has the file, so that each container's has it. */
  hasFile(controller: Controller, file: string): boolean {
    const own = this.#own(controller);
    return own !== undefined && existsSync(join(own, file));
  }

  /** The agent's own group. */
  #own(controller: Controller): string | undefined {
    const mount = this.#mounts.get(controller);
    return mount && join(mount.path, this.#name);
  }

  /** A file of the container's group, or of the agent's own; undefined when it is not there. */
  read(id: string | undefined, controller: Controller, file: string): string | undefined {
    const own = this.#own(controller);
    if (own === undefined) return undefined;
    try {
      return readFileSync(join(id === undefined ? own : containerGroup(own, id), file), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Ends whatever is left in the groups and removes them; rejects when that did not succeed in `milliseconds`. */
  async remove(id: string, clock: Clock, milliseconds: number): Promise<void> {
    await Promise.all(this.#groups(id).map(({ path }) => removeGroup(path, clock, milliseconds)));
  }

  /** Containers that have a group. */
  ids(): string[] {
    const found = [...this.#mounts.values()].flatMap(({ path }) => {
      const own = join(path, this.#name);
      return groupsIn(own).flatMap((id) => {
        const nested = groupsIn(nestedGroups(containerGroup(own, id)));
        return [...nested.map((name) => `${id}.${name}`), id];
      });
    });
    return [...new Set(found)];
  }
}

function setFile(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    throw new Error(`writing '${value}' to '${path}': ${messageOf(error)}`, { cause: error });
  }
}
