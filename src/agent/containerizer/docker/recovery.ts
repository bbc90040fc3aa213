import type { ContainerDetails, ContainerSummary, Engine } from "../../../docker/engine.ts";
import { isNotFound } from "../../../docker/errors.ts";
import { mountsSandbox, type Recognised, recognise } from "./identity.ts";

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

export const isAlive = (found: Recognised): boolean => ALIVE.has(found.state);
