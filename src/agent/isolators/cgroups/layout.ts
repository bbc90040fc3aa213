import { createHash } from "node:crypto";
import { join } from "node:path";

/**
 * Where groups lie below the mount of a controller; the only file that knows:
 *
 *   <--cgroups_root>/<agent>          all containers of this agent: agents of one machine never touch each other's groups
 *     <container id>                  v1: limits and processes
 *                                     v2: limits, and the controllers handed down; no process
 *       leaf                          v2: the processes, and whatever groups they make for themselves
 *       mesos/<child>                 a nested container with limits of its own, as Mesos' linux launcher names it
 *
 * As in the last state of Mesos' own cgroup v2 isolator: a v2 group that hands controllers down may have no processes, so
 * a container that makes groups of its own does it in its leaf, below all its limits.
 */

const NESTED = "mesos";

/** One folder whatever the agent is named by: agents whose names lie within each other would remove one another. */
const agentFolder = (agent: string): string =>
  /^[A-Za-z0-9_-]{1,100}$/.test(agent) ? agent : createHash("sha256").update(agent).digest("hex").slice(0, 16);

/** The agent's own group, relative to a mount. */
export const agentGroup = (cgroupsRoot: string, agent: string): string =>
  join(cgroupsRoot.replace(/^\/+/, ""), agentFolder(agent));

/** The group that has the container's limits and figures. `own`: the agent's group, a path. */
export const containerGroup = (own: string, containerId: string): string =>
  join(own, ...containerId.split(".").flatMap((part, depth) => (depth === 0 ? [part] : [NESTED, part])));

/** Of a container's group: where the groups of the containers nested in it lie. */
export const nestedGroups = (group: string): string => join(group, NESTED);

/** The container that one is nested in; undefined for one that is in none. The ids of a chain are joined by dots. */
export function parentOf(containerId: string): string | undefined {
  const at = containerId.lastIndexOf(".");
  return at < 0 ? undefined : containerId.slice(0, at);
}

/** Of a container's v2 group: where its processes are. */
export const leafGroup = (group: string): string => join(group, "leaf");
