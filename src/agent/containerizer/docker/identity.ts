import type { ContainerDetails, ContainerSummary } from "../../../docker/engine.ts";

/** Labels that our containers carry; they are how a container is found again without any file of ours. */
export const label = {
  /** Random, one per work_dir: whose container it is. */
  agentKey: "org.apache.mesos.agent-key",
  agentId: "org.apache.mesos.agent-id",
  frameworkId: "org.apache.mesos.framework-id",
  executorId: "org.apache.mesos.executor-id",
  taskId: "org.apache.mesos.task-id",
  containerId: "org.apache.mesos.container-id",
} as const;

/** `agent-and-container`: Mesos 0.23 to 1.3, `mesos-<agent id>.<container id>`; `container`: 1.4 on. */
export type NameScheme = "agent-and-container" | "container";

export function containerName(scheme: NameScheme, agentId: string, containerId: string): string {
  return scheme === "container" ? `mesos-${containerId}` : `mesos-${agentId}.${containerId}`;
}

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const NAME = new RegExp(`^mesos-(?:(.+)\\.)?(${UUID})(\\.executor)?$`);

/** Agent and container id of a name that a C++ agent gave (mesos-agent-behaviour §7.2). */
export function parseName(name: string): { agentId: string | undefined; containerId: string } | undefined {
  const match = NAME.exec(name);
  if (match?.[2] === undefined || match[3] !== undefined) return undefined;
  return { agentId: match[1], containerId: match[2] };
}

/** How a container was recognised: by our label, or by a C++ agent's name. */
export interface Recognised {
  readonly engineId: string;
  readonly containerId: string;
  readonly by: "label" | "name";
  /** The agent id in its name or label. */
  readonly agentId: string | undefined;
  readonly state: string;
}

/** The Mesos container that `summary` is; undefined for anybody else's. */
export function recognise(summary: ContainerSummary, agentKey: string): Recognised | undefined {
  const { id: engineId, labels, names, state } = summary;
  const key = labels[label.agentKey];
  const containerId = labels[label.containerId];
  if (key !== undefined) {
    if (key !== agentKey || containerId === undefined) return undefined;
    return { engineId, containerId, by: "label", agentId: labels[label.agentId], state };
  }
  for (const name of names) {
    const parsed = parseName(name);
    if (parsed !== undefined) return { engineId, by: "name", state, ...parsed };
  }
  return undefined;
}

/** Whether a container without our label was made for this work_dir: its sandbox of that very id is mounted. */
export function mountsSandbox(details: ContainerDetails, workDir: string, containerId: string): boolean {
  const prefix = workDir.endsWith("/") ? workDir : `${workDir}/`;
  return details.mounts.some(
    ({ source }) =>
      source.startsWith(prefix) && (source.endsWith(`/runs/${containerId}`) || source.includes(`/${containerId}/`)),
  );
}
