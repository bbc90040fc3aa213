import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { ContainerDetails, ContainerSummary, Engine } from "../../../docker/engine.ts";
import { isNotFound } from "../../../docker/errors.ts";
import { label, mountsSandbox, type Recognised, recognise } from "./identity.ts";

/** What recovery does with the containers at the daemon. */
export interface RecoveryPlan {
  /** Container id → the daemon's id. */
  readonly adopt: ReadonlyMap<string, string>;
  /** Ours, alive, and not expected. */
  readonly orphans: readonly Recognised[];
  /** Ours and dead: removed after the delay. */
  readonly dead: readonly Recognised[];
  /** Named as a C++ agent names its containers: ours only if they mount a sandbox of this work_dir. */
  readonly doubtful: readonly Recognised[];
}

export interface RecoveryContext {
  readonly agentKey: string;
  readonly expected: ReadonlySet<string>;
  readonly ownContainerId: string | undefined;
}

const ALIVE = new Set(["running", "paused", "restarting", "created", "removing"]);

/** Decides from a list of all containers. Everything that is not recognised is nobody's business of ours. */
export function recoveryPlan(containers: readonly ContainerSummary[], context: RecoveryContext): RecoveryPlan {
  const adopt = new Map<string, string>();
  const orphans: Recognised[] = [];
  const dead: Recognised[] = [];
  const doubtful: Recognised[] = [];
  for (const summary of containers) {
    if (summary.id === context.ownContainerId) continue;
    const found = recognise(summary, context.agentKey);
    if (found === undefined) continue;
    if (context.expected.has(found.containerId)) {
      // A label is proof; a name only holds when nothing better is there.
      if (found.by === "label" || !adopt.has(found.containerId)) adopt.set(found.containerId, found.engineId);
    } else if (found.by === "name") doubtful.push(found);
    else if (ALIVE.has(found.state)) orphans.push(found);
    else dead.push(found);
  }
  return { adopt, orphans, dead, doubtful };
}

/** The daemon's id of a container: by label, or by the name that a C++ agent gave. */
export async function locate(
  engine: Engine,
  containerId: string,
  { agentKey, ownContainerId }: Pick<RecoveryContext, "agentKey" | "ownContainerId">,
): Promise<string | undefined> {
  const labels = [`${label.agentKey}=${agentKey}`, `${label.containerId}=${containerId}`];
  const [labelled] = await engine.list(labels);
  if (labelled !== undefined) return labelled.id;
  for (const summary of await engine.list()) {
    const found = recognise(summary, agentKey);
    if (found?.containerId === containerId && summary.id !== ownContainerId) return summary.id;
  }
  return undefined;
}

/** Details of a container that was named by a C++ agent, when it mounts a sandbox of this work_dir. */
export async function provenOurs(
  engine: Engine,
  found: Recognised,
  workDir: string,
): Promise<ContainerDetails | undefined> {
  try {
    const details = await engine.inspect(found.engineId);
    return mountsSandbox(details, workDir, found.containerId) ? details : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Tells of each dead container when it ended: milliseconds since the epoch, undefined when the daemon does not say. Never rejects. */
export async function tellEnds(
  engine: Pick<Engine, "inspect">,
  dead: readonly Recognised[],
  tell: (engineId: string, finishedAt: number | undefined) => void,
): Promise<void> {
  for (const { engineId } of dead) {
    const details = await engine.inspect(engineId).catch(() => undefined);
    const { finishedAt } = details?.state ?? {};
    tell(engineId, finishedAt === undefined ? undefined : Date.parse(finishedAt));
  }
}

/** Ends what is ours and nobody expects; with `kill` false it only says so (--no-docker_kill_orphans). */
export async function endOrphans(
  engine: Engine,
  orphans: readonly Recognised[],
  { kill, log }: { readonly kill: boolean; readonly log: Logger },
): Promise<void> {
  for (const { engineId, containerId } of orphans) {
    if (!kill) {
      log.warn(`Orphan container ${containerId} (${engineId.slice(0, 12)}) is left alone: docker_kill_orphans is off`);
      continue;
    }
    log.info(`Ending orphan container ${containerId} (${engineId.slice(0, 12)})`);
    await engine.remove(engineId, { force: true }).catch((error) => {
      log.warn(`Cannot end orphan container ${containerId}: ${messageOf(error)}`);
    });
  }
}

export const isAlive = (found: Recognised): boolean => ALIVE.has(found.state);
