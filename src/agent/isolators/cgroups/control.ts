import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { formatBytes } from "../../../base/bytes.ts";
import { type Clock, every, type Timer } from "../../../base/clock.ts";
import { codeOf, UserError } from "../../../base/errors.ts";
import {
  type Resource,
  ResourceSchema,
  type ResourceStatistics,
  TaskStatus_Reason,
  type Value_Scalar,
  Value_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Limitation } from "../../model/isolation.ts";
import type { Selection } from "../select.ts";
import { Groups } from "./group.ts";
import { type Controller, findControllers, parseMounts } from "./hierarchy.ts";
import { allowanceOf, cpuSettings, hardMemoryLimit, memorySettings, type SettingOptions } from "./settings.ts";
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
  /** Text of /proc/mounts. */
  readonly mounts?: string;
}

interface Watched {
  readonly limited: (limitation: Limitation) => void;
  memoryLimit: number | undefined;
}

const MEGABYTE = 1024 * 1024;
/** Milliseconds between looks for OOM kills. The kernel's own notifications need eventfd, which Node does not have. */
const LOOK_FOR_KILLS = 2_000;

const controllersOf = (path: string): readonly string[] => {
  try {
    return readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(/\s+/);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
};

/** cgroups/cpu, cgroups/mem and cgroups/pids on v1, v2 and both mixed. */
export class GroupControl {
  readonly #options: ControlOptions;
  readonly #selection: Selection;
  readonly #groups: Groups;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: Timer;

  /** Throws a UserError when a controller is missing or the groups cannot be made. */
  constructor(selection: Selection, options: ControlOptions) {
    const wanted: Controller[] = [
      ...(selection.cpu === "cgroups" ? (["cpu", "cpuacct"] as const) : []),
      ...(selection.mem === "cgroups" ? (["memory"] as const) : []),
      ...(selection.pids ? (["pids"] as const) : []),
    ];
    const mounts = options.mounts ?? readFileSync("/proc/mounts", "utf8");
    const entries = parseMounts(mounts, options.hierarchy);
    const found = findControllers(entries, wanted, options.hierarchy, controllersOf);
    this.#options = options;
    this.#selection = selection;
    this.#groups = new Groups(found, options.root, options.agent);
    this.#groups.prepare();
    this.#timer = every(options.clock, LOOK_FOR_KILLS, () => this.#look());
  }

  /** Makes the container's groups with their limits. Throws; whatever was made is removed by `remove`. */
  add(
    id: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
    limited: (limitation: Limitation) => void,
  ): void {
    if (this.#groups.exists(id)) throw new UserError(`the control group of container ${id} exists already`);
    this.#groups.create(id);
    this.#watched.set(id, { limited, memoryLimit: undefined });
    this.update(id, resources, limits);
  }

  recover(id: string, limited: (limitation: Limitation) => void): void {
    if (!this.#groups.exists(id)) return;
    this.#watched.set(id, { limited, memoryLimit: this.#currentLimit(id) });
  }

  update(id: string, resources: readonly Resource[], limits: Readonly<Record<string, Value_Scalar>>): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const { settings } = this.#options;
    const allowance = allowanceOf(resources, limits);
    if (this.#selection.cpu === "cgroups") {
      for (const setting of cpuSettings(allowance, this.#groups.version("cpu"), settings))
        this.#groups.write(id, setting);
    }
    if (this.#selection.mem === "cgroups") {
      const version = this.#groups.version("memory");
      for (const setting of memorySettings(allowance, version, settings, watched.memoryLimit)) {
        this.#groups.write(id, setting);
      }
      watched.memoryLimit = Math.max(watched.memoryLimit ?? 0, hardMemoryLimit(allowance) ?? 0) || undefined;
    }
  }

  /** The cgroup.procs files that a process of the container enters. */
  members(id: string): string[] {
    return this.#watched.has(id) ? this.#groups.paths(id).map((path) => join(path, "cgroup.procs")) : [];
  }

  usage(id: string): Partial<ResourceStatistics> {
    if (!this.#watched.has(id)) return {};
    const cpu = this.#reader(id, "cpu");
    const memory = this.#reader(id, "memory");
    const isCpu = this.#selection.cpu === "cgroups";
    const isMemory = this.#selection.mem === "cgroups";
    return {
      ...(isCpu && this.#groups.version("cpu") === 1 ? cpuFiguresV1(this.#reader(id, "cpuacct"), cpu) : {}),
      ...(isCpu && this.#groups.version("cpu") === 2 ? cpuFiguresV2(cpu) : {}),
      ...(isMemory && this.#groups.version("memory") === 1 ? memoryFiguresV1(memory) : {}),
      ...(isMemory && this.#groups.version("memory") === 2 ? memoryFiguresV2(memory) : {}),
    };
  }

  /** Whether the kernel has killed something of the container for want of memory, and with what figures. */
  limitation(id: string): Limitation | undefined {
    if (!this.#watched.has(id) || this.#selection.mem !== "cgroups") return undefined;
    const version = this.#groups.version("memory");
    const memory = this.#reader(id, "memory");
    if (oomKills(version, memory) === 0) return undefined;
    const peak = peakMemory(version, memory);
    return memoryLimitation(this.#currentLimit(id), peak, memory("memory.stat") ?? "");
  }

  async remove(id: string): Promise<void> {
    this.#watched.delete(id);
    await this.#groups.remove(id, this.#options.clock, this.#options.destroyTimeout);
  }

  /** Removes groups of containers that are none of these, with whatever runs in them. */
  async sweep(containerIds: ReadonlySet<string>): Promise<void> {
    for (const id of this.#groups.ids()) if (!containerIds.has(id)) await this.remove(id);
  }

  close(): void {
    this.#timer.cancel();
  }

  #reader(id: string, controller: Controller): ReadFile {
    return (file) => this.#groups.read(id, controller, file);
  }

  #currentLimit(id: string): number | undefined {
    const file = this.#groups.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max";
    return parseLimit(this.#groups.read(id, "memory", file));
  }

  #look(): void {
    if (this.#selection.mem !== "cgroups") return;
    for (const [id, { limited }] of this.#watched) {
      const limitation = this.limitation(id);
      if (limitation !== undefined) limited(limitation);
    }
  }
}

/** The limitation of a container that ran out of memory, in Mesos' own words (§7.12). */
export function memoryLimitation(limit: number | undefined, peak: number | undefined, statistics: string): Limitation {
  const requested = limit === undefined ? "unlimited" : formatBytes(limit);
  const used = peak === undefined ? "unknown" : formatBytes(peak);
  const value = (peak ?? limit ?? 0) / MEGABYTE;
  return {
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
    message: `Memory limit exceeded: Requested: ${requested} Maximum Used: ${used}\n\nMEMORY STATISTICS: \n${statistics}`,
    resources: [create(ResourceSchema, { name: "mem", type: Value_Type.SCALAR, scalar: { value }, role: "*" })],
  };
}
