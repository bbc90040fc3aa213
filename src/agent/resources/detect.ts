import { UserError } from "../../base/errors.ts";
import type { Resource } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../mesos/resources.ts";
import { formatResources, parseResourceList } from "../../mesos/resources-text.ts";
import type { ContainerLimits } from "./container-limits.ts";

/** This machine as far as offers are made from it. */
export interface MachineSize {
  /** Logical CPUs; undefined: not known. */
  readonly cpus: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  /** Bytes of the file system that holds the work directory. */
  readonly disk: number | undefined;
}

export interface ResourcesInput {
  /** --resources; undefined: nothing given. */
  readonly given: string | undefined;
  readonly defaultRole: string;
  readonly machine: MachineSize;
  readonly limits: ContainerLimits;
  /** --detect_host_resources: limits of the own container are set aside. */
  readonly ignoreLimits: boolean;
}

export interface OfferedResources {
  /** Pre-refinement as AgentInfo has them; zeros dropped. */
  readonly resources: Resource[];
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const DEFAULT_PORTS = "[31000-32000]";

/** MiB of memory to offer: a GiB is left to the system, or half of a small machine (mesos-agent-behaviour §2.3). */
export function offeredMemory(bytes: number | undefined): number {
  if (bytes === undefined) return 1024;
  return Math.floor((bytes >= 2 * GIB ? bytes - GIB : bytes / 2) / MIB);
}

/** MiB of disk to offer: 5 GiB are left to the system, or half of a small one. */
export function offeredDisk(bytes: number | undefined): number {
  if (bytes === undefined) return 10 * 1024;
  return Math.floor((bytes >= 10 * GIB ? bytes - 5 * GIB : bytes / 2) / MIB);
}

interface Detected {
  readonly value: string;
  readonly why: string;
}

/** CPUs of a limited container keep their fraction: a quota of 1.5 is offered as 1.5. */
function detectedCpus({ machine, limits, ignoreLimits }: ResourcesInput): Detected {
  const all = machine.cpus ?? 1;
  const limited = !ignoreLimits && limits.cpus !== undefined && limits.cpus < all;
  const cpus = limited ? Math.max(0.001, Math.floor((limits.cpus ?? all) * 1000) / 1000) : all;
  return { value: String(cpus), why: limited ? `limit of this container; the machine has ${all}` : "detected" };
}

function detectedMemory({ machine, limits, ignoreLimits }: ResourcesInput): Detected {
  const all = machine.memory ?? Number.POSITIVE_INFINITY;
  const limited = !ignoreLimits && limits.memory !== undefined && limits.memory < all;
  const bytes = limited ? limits.memory : machine.memory;
  const of = bytes === undefined ? "unknown" : `${Math.floor(bytes / MIB)} MiB`;
  return {
    value: String(offeredMemory(bytes)),
    why: limited ? `of this container's limit, ${of}` : `detected, of ${of}`,
  };
}

/**
 * What this agent offers: `--resources`, and of cpus, mem, disk and ports what it does not name. A kind that is given as 0
 * is absent. Limits of the own container hold, unless told otherwise. Throws a UserError.
 */
export function planResources(input: ResourcesInput): OfferedResources {
  const { given = "", defaultRole, machine, limits, ignoreLimits } = input;
  const list = parseResourceList(given, defaultRole);
  const named = new Set(list.map(({ name }) => name));
  const detections: Readonly<Record<string, () => Detected>> = {
    cpus: () => detectedCpus(input),
    mem: () => detectedMemory(input),
    disk: () => ({
      value: String(offeredDisk(machine.disk)),
      why:
        machine.disk === undefined
          ? "not known, taken as 10 GiB"
          : `detected, of ${Math.floor(machine.disk / MIB)} MiB`,
    }),
    ports: () => ({ value: DEFAULT_PORTS, why: "Mesos' default" }),
  };
  const lines: string[] = [];
  for (const [name, detect] of Object.entries(detections)) {
    if (named.has(name)) continue;
    const { value, why } = detect();
    list.push(...parseResourceList(`${name}:${value}`, defaultRole));
    lines.push(`Offering ${name} ${value} (${why})`);
  }
  const warnings = warningsOf(input, named);
  if (ignoreLimits && limits.sources.length > 0)
    lines.push(`Limits of this container are set aside by --detect_host_resources: ${limits.sources.join(", ")}`);
  const total = Resources.of(list);
  if (total.isEmpty)
    throw new UserError("there is nothing to offer: every resource is 0", "give --resources some, or leave it out");
  lines.push(`Agent resources: ${formatResources(total)}`);
  return { resources: total.toMessages("pre"), lines, warnings };
}

/** More is offered than tasks beside this process can get. */
function warningsOf(
  { given, defaultRole, machine, limits, ignoreLimits }: ResourcesInput,
  named: ReadonlySet<string>,
): string[] {
  if (given === undefined) return [];
  const total = Resources.of(parseResourceList(given, defaultRole));
  const warnings: string[] = [];
  const cpus = ignoreLimits ? machine.cpus : (limits.cpus ?? machine.cpus);
  if (named.has("cpus") && cpus !== undefined && total.cpus > cpus)
    warnings.push(`--resources offers ${total.cpus} CPUs, and there are ${cpus}`);
  const memory = ignoreLimits ? machine.memory : Math.min(limits.memory ?? Infinity, machine.memory ?? Infinity);
  if (named.has("mem") && memory !== undefined && total.mem * MIB > memory)
    warnings.push(`--resources offers ${total.mem} MiB of memory, and there are ${Math.floor(memory / MIB)}`);
  return warnings;
}
