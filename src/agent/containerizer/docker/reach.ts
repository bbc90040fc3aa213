import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerDetails } from "../../../docker/engine.ts";
import type { Reach } from "../../model/reach.ts";

/** What of a container says how it is reached. */
export type Reachable = Pick<ContainerDetails, "id" | "networkMode" | "addresses"> & {
  readonly state: { readonly pid: number | undefined };
};

/**
 * How a container's loopback is reached. `again` asks the daemon anew, for a container whose process is not what was last
 * seen: it was restarted. `proc`: where the processes that the agent sees are.
 */
export async function reachOf(
  seen: Reachable,
  again: () => Promise<Reachable | undefined>,
  proc = "/proc",
): Promise<Reach> {
  const found = await byProcess(seen, proc);
  if (found !== undefined) return found;
  const now = await again().catch(() => undefined);
  const { networkMode, addresses } = now ?? seen;
  const isRestarted = now !== undefined && now.state.pid !== seen.state.pid;
  const foundAgain = isRestarted ? await byProcess(now, proc) : undefined;
  if (foundAgain !== undefined) return foundAgain;
  // The agent's container is run with the host's network when there is any such task (docs/docker.md).
  return networkMode === "host" ? { kind: "machine" } : { kind: "address", addresses };
}

/**
 * By one of its processes; undefined: it cannot be seen from here. The number counts in the daemon's pid namespace, which
 * need not be ours: only a process in the container's control group is taken for it. That is asked after the namespace was
 * opened, so that a number that was given to another process meanwhile leads nowhere.
 */
async function byProcess({ id, state, addresses }: Reachable, proc: string): Promise<Reach | undefined> {
  if (state.pid === undefined || state.pid <= 0) return undefined;
  const net = await open(join(proc, `${state.pid}`, "ns/net")).catch(() => undefined);
  if (net === undefined) return undefined;
  try {
    const groups = await readFile(join(proc, `${state.pid}`, "cgroup"), "utf8").catch(() => "");
    if (groups.includes(id)) {
      const [its, own] = await Promise.all([net.stat(), stat(join(proc, "self/ns/net"))]);
      if (its.ino !== own.ino || its.dev !== own.dev) return { kind: "namespace", net, addresses };
      await net.close();
      return { kind: "machine" };
    }
  } catch {
    // The process ended in this moment.
  }
  await net.close();
  return undefined;
}
