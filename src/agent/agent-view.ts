import type { Clock } from "../base/clock.ts";
import { Deadline, within } from "../base/deadline.ts";
import { answerPace } from "../http/paced-body.ts";
import type { Process } from "../libprocess/process.ts";
import { formatUPID } from "../libprocess/upid.ts";
import type { MasterInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Agent } from "./agent.ts";
import type { AgentSnapshot, ContainersView, ContainerUsage, EngineFacts } from "./http/view.ts";
import { capabilityNames } from "./master/capabilities.ts";
import { countGauges, resourceGauges } from "./metrics/from-model.ts";
import type { PoolWatch } from "./metrics/pool-watch.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Containerizer } from "./model/container.ts";
import type { Identity } from "./model/identity.ts";
import type { MasterChannel } from "./model/master-channel.ts";
import type { ContainerChain } from "./model/nested.ts";
import type { ExecutorRecord } from "./model/records.ts";
import type { Operations } from "./operations/operations.ts";
import type { Reservations } from "./reservations/reservations.ts";
import type { StatusUpdates } from "./status-updates/streams.ts";
import type { DrainOrder } from "./tasks/draining.ts";
import type { FrameworkRegistry } from "./tasks/registry.ts";

/** Milliseconds for the figures of one container. */
const USAGE_DEADLINE = 5_000;

/** What the pages read of an agent. */
export interface ViewedAgent {
  readonly agent: Agent;
  readonly clock: Clock;
  readonly process: Process;
  readonly identity: Identity;
  readonly master: MasterChannel;
  readonly registry: FrameworkRegistry;
  readonly reservations: Reservations;
  readonly operations: Operations;
  readonly updates: StatusUpdates;
  readonly drain: DrainOrder;
  readonly containerizers: readonly Containerizer[];
}

/** The agent as its pages show it now. */
export function snapshotOf(viewed: ViewedAgent): AgentSnapshot {
  const { identity, process, master, reservations, registry, operations, drain } = viewed;
  return {
    phase: identity.phase,
    info: identity.info,
    pid: formatUPID(process.self),
    startTime: identity.startedAt,
    capabilities: capabilityNames(),
    total: reservations.total,
    masterHostname: masterHostname(master.info),
    masterAddress: masterAddress(master.info),
    drain: drain.config && { config: drain.config, since: drain.since },
    frameworks: [...registry.active.values()],
    completedFrameworks: registry.completed,
    operations: operations.pending(),
  };
}

const masterHostname = (master: MasterInfo | undefined): string | undefined =>
  master?.hostname || master?.address?.hostname || undefined;

function masterAddress(master: MasterInfo | undefined): string | undefined {
  const host = masterHostname(master) ?? master?.address?.ip;
  return host === undefined ? undefined : `${host}:${master?.port}`;
}

/** Measures every running container; one that cannot be measured in time has no statistics. */
export async function usageOf({
  registry,
  clock,
}: Pick<ViewedAgent, "registry" | "clock">): Promise<readonly ContainerUsage[]> {
  const executors = [...registry.active.values()].flatMap((framework) => [...framework.executors.values()]);
  const deadline = new Deadline(clock, USAGE_DEADLINE);
  try {
    const measured: Promise<ContainerUsage>[] = [];
    for (const executor of executors) {
      if (executor.state === "TERMINATED") continue;
      const wait = answerPace.take();
      if (wait !== undefined) await wait;
      measured.push(measure(deadline, executor));
    }
    return await Promise.all(measured);
  } finally {
    deadline.close();
  }
}

/** Containers of the operator API: each executor's in the containerizer that runs it, the others where any can be. */
export function containersOf(viewed: Pick<ViewedAgent, "registry" | "clock" | "containerizers">): ContainersView {
  const { registry, clock, containerizers } = viewed;
  const all = containerizers.flatMap(({ nested }) => nested ?? []);
  const allKept = containerizers.flatMap(({ nested, kept }) => nested ?? kept ?? []);
  const ownerOf: ContainersView["ownerOf"] = ([root]) => {
    for (const framework of registry.active.values())
      for (const executor of framework.executors.values())
        if (executor.containerId === root) return { framework, executor };
    return undefined;
  };
  const of: ContainersView["of"] = (chain) => {
    const owner = ownerOf(chain);
    return owner === undefined ? all[0] : owner.executor.containerizer?.nested;
  };
  return {
    ownerOf,
    of,
    kept: (chain) => of(chain) ?? ownerOf(chain)?.executor.containerizer?.kept,
    everOwnerOf: (chain) => ownerOf(chain) ?? pastOwnerOf(registry, chain),
    sessions: (chain) => {
      const owner = ownerOf(chain);
      const anywhere = containerizers.find(({ sessions, nested }) => sessions !== undefined && nested !== undefined);
      return (owner === undefined ? anywhere : owner.executor.containerizer)?.sessions;
    },
    limitMemory: async (id, bytes) => {
      const owner = ownerOf([id]);
      const alone = containerizers.find(({ nested }) => nested !== undefined);
      const containerizer = owner === undefined ? alone : owner.executor.containerizer;
      const isThere = owner !== undefined || (await alone?.nested?.status([id])) !== undefined;
      if (containerizer === undefined || !isThere) return "unknown";
      if (!containerizer.enforces.mem) return "unheld";
      return (await containerizer.limitMemory(id, bytes)) ? "done" : "unknown";
    },
    usage: async (shown) => {
      const wanted = allKept.flatMap((containers) =>
        containers
          .list()
          .filter(({ isStandalone, chain }) => (chain.length > 1 ? shown.nested : isStandalone && shown.standalone))
          .map(async ({ chain }) => ({
            chain,
            statistics: await within(clock, USAGE_DEADLINE, unlessFailed(containers.usage(chain)), undefined),
            status: await within(clock, USAGE_DEADLINE, unlessFailed(containers.status(chain)), undefined),
          })),
      );
      return await Promise.all(wanted);
    },
  };
}

function pastOwnerOf(
  { active, completed }: FrameworkRegistry,
  [root]: ContainerChain,
): ReturnType<ContainersView["ownerOf"]> {
  for (const framework of [...active.values(), ...completed])
    for (const executor of framework.completedExecutors)
      if (executor.containerId === root) return { framework, executor };
  return undefined;
}

/** Undefined for what fails, or is not there. */
const unlessFailed = <T>(work: Promise<T> | undefined): Promise<T | undefined> =>
  work === undefined ? Promise.resolve(undefined) : work.catch(() => undefined);

async function measure(deadline: Deadline, executor: ExecutorRecord): Promise<ContainerUsage> {
  const { containerizer, containerId, info } = executor;
  const [statistics, status] = await Promise.all([
    deadline.within(unlessFailed(containerizer?.usage(containerId)), undefined),
    deadline.within(unlessFailed(containerizer?.status(containerId)), undefined),
  ]);
  return {
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    executorName: info.name,
    source: info.source,
    containerId,
    statistics,
    status,
  };
}

/** Milliseconds for a daemon's version. */
const VERSION_DEADLINE = 2_000;

/** What runs the containers, its version and whether it works. */
export async function enginesOf({
  containerizers,
  clock,
}: Pick<ViewedAgent, "containerizers" | "clock">): Promise<readonly EngineFacts[]> {
  return await Promise.all(
    containerizers.map(async (containerizer) => ({
      name: containerizer.name,
      version: await within(clock, VERSION_DEADLINE, unlessFailed(containerizer.engineName?.()), undefined),
      trouble: containerizer.trouble(),
    })),
  );
}

/** Gauges that are read from the agent's own records. */
export function installGauges(viewed: ViewedAgent, metrics: Metrics): void {
  const { clock, identity, agent, registry, reservations } = viewed;
  metrics.gauge("slave/uptime_secs", () => Math.max(0, clock.now() - identity.startedAt) / 1000);
  metrics.gauge("slave/registered", () => (identity.phase === "RUNNING" ? 1 : 0));
  metrics.gauge("slave/recovery_time_secs", () => agent.recoverySeconds);
  metrics.gauges(() => countGauges(registry.active.values()));
  metrics.gauges(() => resourceGauges(reservations.total, registry.active.values()));
}

/** What is wrong with parts of the agent, by part. */
export function troublesOf(
  { containerizers, updates }: ViewedAgent,
  pool: Pick<PoolWatch, "trouble">,
): ReadonlyMap<string, string> {
  const troubles = new Map<string, string>();
  for (const containerizer of containerizers) {
    const trouble = containerizer.trouble();
    if (trouble !== undefined) troubles.set(`containerizer/${containerizer.name}`, trouble);
  }
  if (pool.trouble !== undefined) troubles.set("files", pool.trouble);
  const checkpoint = updates.writeTrouble;
  if (checkpoint !== undefined) troubles.set("checkpoints", checkpoint);
  return troubles;
}
