import { statfs } from "node:fs/promises";
import { release } from "node:os";
import type { JsonObject } from "./task-json.ts";
import type { AgentView, EngineFacts, ForwarderFacts, NeighbourFacts } from "./view.ts";

/** What the node's page shows of the machine and of what runs beside the agent: /node. Times are seconds, sizes bytes. */
export async function nodeJson(view: AgentView): Promise<JsonObject> {
  const { load, cpus, memoryTotal, memoryFree, cpuTime } = view.system();
  const { oomKills, pressure } = view.shortage();
  const [disk, engines, neighbours] = await Promise.all([diskOf(view), view.engines(), view.neighbours()]);
  return {
    machine: {
      kernel: release(),
      ...(view.controlGroups !== undefined && { cgroups: view.controlGroups }),
      cpus,
      load: [...load],
      cpu_secs: { busy: cpuTime.busy, total: cpuTime.total },
      memory_total: memoryTotal,
      memory_free: memoryFree,
      ...(oomKills !== undefined && { oom_kills: oomKills }),
      pressure,
      ...(disk !== undefined && { disk }),
      engines: engines.map(engineJson),
    },
    ...neighboursJson(neighbours),
  };
}

/** Of the file system that sandboxes lie on; undefined when it does not say. */
async function diskOf({ workDir: path, flags }: AgentView): Promise<JsonObject | undefined> {
  try {
    const { bsize, blocks, bavail } = await statfs(path);
    return { ...(flags !== undefined && { path }), total: bsize * blocks, available: bsize * bavail };
  } catch {
    return undefined;
  }
}

const engineJson = ({ name, version, trouble }: EngineFacts): JsonObject => ({
  name,
  ...(version !== undefined && { version }),
  ...(trouble !== undefined && { trouble }),
});

const neighboursJson = ({ services, servicesProblem, verdict, forwarder }: NeighbourFacts): JsonObject => ({
  services: services.map(({ name, state, start, exitStatus, problem }) => ({
    name,
    state,
    start,
    exit_status: exitStatus,
    ...(problem !== "" && { problem }),
  })),
  ...(servicesProblem !== undefined && { services_problem: servicesProblem }),
  ...(verdict !== undefined && { verdict }),
  ...(forwarder !== undefined && { forwarder: forwarderJson(forwarder) }),
});

function forwarderJson(facts: ForwarderFacts): JsonObject {
  if ("problem" in facts) return { problem: facts.problem };
  return {
    ...(facts.events !== undefined && { events: facts.events }),
    lag_bytes: facts.lag.bytes,
    lag_seconds: facts.lag.seconds,
    servers: facts.servers.map(({ server, state }) => ({ server, state })),
    files: facts.files.map(({ source, lagBytes, lagSeconds }) => ({
      source,
      lag_bytes: lagBytes,
      lag_seconds: lagSeconds,
    })),
  };
}
