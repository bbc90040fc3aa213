import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { formatBytes } from "../../../base/bytes.ts";
import { type Clock, every, type Timer } from "../../../base/clock.ts";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import { Pace } from "../../../base/pace.ts";
import { Rounds } from "../../../base/rounds.ts";
import {
  type Resource,
  ResourceSchema,
  type ResourceStatistics,
  TaskStatus_Reason,
  type Value_Scalar,
  Value_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointedContainer, ContainerSpec } from "../../model/container.ts";
import type { Confinement, Isolator, Limitation } from "../../model/isolation.ts";
import { ioSettings } from "./block-io.ts";
import { Groups } from "./group.ts";
import { type Controller, findControllers, parseMounts } from "./hierarchy.ts";
import { ioFiguresV1, ioFiguresV2 } from "./io-statistics.ts";
import { type Offered, offered } from "./offered.ts";
import { groupGauges, pressureFigures } from "./pressure.ts";
import {
  allowanceOf,
  cpuSettings,
  hardLimitAgain,
  hardMemoryLimit,
  memorySettings,
  orderedMemory,
  pidsSettings,
  type SettingOptions,
} from "./settings.ts";
import {
  cpuFiguresV1,
  cpuFiguresV2,
  memoryFiguresV1,
  memoryFiguresV2,
  oomKills,
  parseLimit,
  peakMemory,
  type ReadFile,
} from "./statistics.ts";

export interface ControlOptions {
  readonly clock: Clock;
  /** `--cgroups_hierarchy` */
  readonly hierarchy: string;
  /** `--cgroups_root` */
  readonly root: string;
  /** Names this agent (its work_dir): agents of one machine never touch each other's groups. A path is hashed. */
  readonly agent: string;
  /** `--cgroups_destroy_timeout`, milliseconds. */
  readonly destroyTimeout: number;
  readonly settings: SettingOptions;
  /** Hears of each thing that is asked for and cannot be had here, once, with its fix. */
  readonly warn?: (line: string) => void;
  /** Text of /proc/mounts. */
  readonly mounts?: string;
  /** What the looks at thousands of groups take turns with; that of all agents of this process, unless given. */
  readonly pace?: Pace;
}

type Prepared = Pick<ContainerSpec, "containerId" | "resources" | "limits"> & Partial<Pick<ContainerSpec, "container">>;

interface Watched {
  readonly limited: (limitation: Limitation) => void;
  memoryLimit: number | undefined;
  /** Somebody ordered the limit: resources no longer say it. */
  isOrdered?: boolean;
}

/** The isolator that gives each container a cgroup namespace; Mesos itself does so for containers with a root of their own. */
const NAMESPACE = "namespaces/cgroup";
const MEGABYTE = 1024 * 1024;
/** Milliseconds between looks for OOM kills. The kernel's own notifications need eventfd, which Node does not have. */
const LOOK_FOR_KILLS = 2_000;
/** Groups that are looked at in one turn of the event loop, and milliseconds of it. */
const groupPace = new Pace(64, { milliseconds: 8 });

const controllersOf = (path: string): readonly string[] => {
  try {
    return readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(/\s+/);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
};

/** cgroups/cpu, cgroups/mem, cgroups/pids and cgroups/blkio on v1, v2 and both mixed. */
export class GroupControl implements Isolator {
  readonly #options: ControlOptions;
  readonly #hasNamespaces: boolean;
  readonly #holdsCpu: boolean;
  readonly #countsCpu: boolean;
  readonly #holdsMemory: boolean;
  readonly #groups: Groups;
  readonly #offered: Offered;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: Timer;
  #isClosed = false;

  /** `names`: isolators. Throws a UserError when a controller is missing or the groups cannot be made. */
  constructor(names: ReadonlySet<string>, options: ControlOptions) {
    const wanted: Controller[] = [
      ...(names.has("cgroups/cpu") ? (["cpu", "cpuacct"] as const) : []),
      ...(names.has("cgroups/mem") ? (["memory"] as const) : []),
      ...(names.has("cgroups/pids") ? (["pids"] as const) : []),
      ...(names.has("cgroups/blkio") ? (["io"] as const) : []),
      // Its groups are there whatever they hold.
      ...(names.has(NAMESPACE) && !names.has("cgroups/cpu") ? (["cpuacct"] as const) : []),
    ];
    const mounts = options.mounts ?? readFileSync("/proc/mounts", "utf8");
    const entries = parseMounts(mounts, options.hierarchy);
    const found = findControllers(entries, wanted, options.hierarchy, controllersOf);
    this.#options = options;
    this.#groups = new Groups(found, options.root, options.agent);
    for (const lacking of this.#groups.prepare()) this.#lacks(messageOf(lacking).replaceAll(/\s*\n\s*/g, " "));
    const versionOf = (controller: Controller) =>
      this.#groups.has(controller) ? this.#groups.version(controller) : undefined;
    const served = { memory: versionOf("memory"), io: versionOf("io") };
    this.#offered = offered(options.settings, served, (controller, file) => this.#groups.hasFile(controller, file));
    for (const lacking of this.#offered.lacking) this.#lacks(lacking);
    this.#hasNamespaces = names.has(NAMESPACE);
    if (this.#hasNamespaces && this.#groups.unified() === undefined) {
      throw new UserError(
        `--isolation=${NAMESPACE} needs cgroup v2, and below ${options.hierarchy} the controllers are on v1`,
        `remove ${NAMESPACE}, or boot with systemd.unified_cgroup_hierarchy=1`,
      );
    }
    this.#countsCpu = names.has("cgroups/cpu");
    this.#holdsCpu = this.#groups.has("cpu");
    this.#holdsMemory = this.#groups.has("memory");
    const { pace = groupPace } = options;
    const rounds = new Rounds(pace, (error) => this.#options.warn?.(`Looking for OOM kills: ${messageOf(error)}`));
    this.#timer = every(options.clock, LOOK_FOR_KILLS, () => rounds.begin(() => this.#looks()));
  }

  #lacks(what: string): void {
    this.#options.warn?.(`Not isolated: ${what}`);
  }

  /** False for a limit that was asked for and cannot be held here. */
  holds(limit: "cpus" | "mem"): boolean {
    return limit === "cpus" ? this.#holdsCpu : this.#holdsMemory;
  }

  /** Makes the container's groups with their limits. Throws; whatever was made is removed by `cleanup`. */
  prepare(spec: Prepared, limited: (limitation: Limitation) => void): void {
    const { containerId: id, resources, limits } = spec;
    if (this.#groups.exists(id)) throw new UserError(`the control group of container ${id} exists already`);
    this.#groups.create(id);
    this.#watched.set(id, { limited, memoryLimit: undefined });
    const { settings, weightFile } = this.#offered;
    const fixed = [
      ...pidsSettings(spec.container?.rlimitInfo, settings),
      ...(settings.io && this.#groups.has("io") ? ioSettings(settings.io, this.#groups.version("io"), weightFile) : []),
    ];
    for (const setting of fixed) this.#groups.write(id, setting);
    this.update(id, resources, limits);
  }

  recover(
    { containerId: id }: Pick<CheckpointedContainer, "containerId">,
    limited: (limitation: Limitation) => void,
  ): void {
    if (!this.#groups.exists(id)) return;
    this.#watched.set(id, { limited, memoryLimit: this.#currentLimit(id) });
  }

  update(id: string, resources: readonly Resource[], limits: Readonly<Record<string, Value_Scalar>>): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const { settings } = this.#offered;
    const allowance = allowanceOf(resources, limits);
    if (this.#holdsCpu) {
      for (const setting of cpuSettings(allowance, this.#groups.version("cpu"), settings))
        this.#groups.write(id, setting);
    }
    if (this.#holdsMemory && !watched.isOrdered) {
      const version = this.#groups.version("memory");
      for (const setting of memorySettings(allowance, version, settings, watched.memoryLimit)) {
        this.#groups.write(id, setting);
      }
      watched.memoryLimit = Math.max(watched.memoryLimit ?? 0, hardMemoryLimit(allowance) ?? 0) || undefined;
    }
  }

  async limitMemory(id: string, bytes: number): Promise<boolean> {
    const watched = this.#watched.get(id);
    if (watched === undefined || !this.#holdsMemory) return false;
    const before = this.#currentLimit(id);
    const version = this.#groups.version("memory");
    try {
      for (const setting of orderedMemory(bytes, version, this.#offered.settings, before))
        await this.#groups.writeSlowly(id, setting);
    } catch (error) {
      // A part of it may be in force. Whatever is not as it was before, the error says why.
      for (const setting of hardLimitAgain(before, version))
        await this.#groups.writeSlowly(id, setting).catch(() => undefined);
      throw error;
    }
    watched.memoryLimit = this.#currentLimit(id);
    watched.isOrdered = true;
    return true;
  }

  /** The cgroup.procs files that a process of the container enters. */
  members(id: string): string[] {
    return this.#watched.has(id) ? this.#groups.homes(id).map((path) => join(path, "cgroup.procs")) : [];
  }

  ownGroup(id: string): Confinement["ownGroup"] {
    return this.#hasNamespaces && this.#watched.has(id) ? this.#groups.leaf(id) : undefined;
  }

  usage(id: string): Partial<ResourceStatistics> {
    if (!this.#watched.has(id)) return {};
    const clock = this.#reader(id, "cpuacct");
    const memory = this.#reader(id, "memory");
    return {
      ...(this.#countsCpu && this.#groups.version("cpuacct") === 1 ? cpuFiguresV1(clock, this.#reader(id, "cpu")) : {}),
      ...(this.#countsCpu && this.#groups.version("cpuacct") === 2 ? cpuFiguresV2(clock) : {}),
      ...(this.#holdsMemory && this.#groups.version("memory") === 1 ? memoryFiguresV1(memory) : {}),
      ...(this.#holdsMemory && this.#groups.version("memory") === 2 ? memoryFiguresV2(memory) : {}),
      ...(this.#groups.has("io") && this.#groups.version("io") === 1 ? ioFiguresV1(this.#reader(id, "io")) : {}),
      ...(this.#groups.has("io") && this.#groups.version("io") === 2 ? ioFiguresV2(this.#reader(id, "io")) : {}),
      ...pressureFigures((file) => this.#groups.readUnified(id, file)),
    };
  }

  /** Whether the kernel has killed something of the container for want of memory, and with what figures. */
  limitation(id: string): Limitation | undefined {
    if (!this.#watched.has(id) || !this.#holdsMemory) return undefined;
    const version = this.#groups.version("memory");
    const memory = this.#reader(id, "memory");
    if (oomKills(version, memory) === 0) return undefined;
    const peak = peakMemory(version, memory);
    return memoryLimitation(this.#currentLimit(id), peak, memory("memory.stat") ?? "");
  }

  /** Of all containers together. */
  figures(): Iterable<readonly [string, number]> {
    return groupGauges((file) => this.#groups.readUnified(undefined, file));
  }

  async cleanup(id: string): Promise<void> {
    this.#watched.delete(id);
    await this.#groups.remove(id, this.#options.clock, this.#options.destroyTimeout);
  }

  /** Removes groups of containers that are none of these, with whatever runs in them; one that stays keeps no other. */
  async sweep(containerIds: ReadonlySet<string>): Promise<void> {
    const left = this.#groups.ids().filter((id) => !containerIds.has(id));
    await Promise.all(left.map((id) => this.cleanup(id)));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }

  #reader(id: string, controller: Controller): ReadFile {
    return (file) => this.#groups.read(id, controller, file);
  }

  #currentLimit(id: string): number | undefined {
    const file = this.#groups.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max";
    return parseLimit(this.#groups.read(id, "memory", file));
  }

  *#looks(): Generator<void, void, void> {
    if (!this.#holdsMemory) return;
    for (const [id, { limited }] of this.#watched) {
      if (this.#isClosed) return;
      const limitation = this.limitation(id);
      if (limitation !== undefined) limited(limitation);
      yield;
    }
  }
}

/** The limitation of a container that ran out of memory, in Mesos' own words (§7.12). */
function memoryLimitation(limit: number | undefined, peak: number | undefined, statistics: string): Limitation {
  const requested = limit === undefined ? "unlimited" : formatBytes(limit);
  const used = peak === undefined ? "unknown" : formatBytes(peak);
  const value = (peak ?? limit ?? 0) / MEGABYTE;
  return {
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
    message: `Memory limit exceeded: Requested: ${requested} Maximum Used: ${used}\n\nMEMORY STATISTICS: \n${statistics}`,
    resources: [create(ResourceSchema, { name: "mem", type: Value_Type.SCALAR, scalar: { value }, role: "*" })],
  };
}
