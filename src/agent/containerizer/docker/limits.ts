import type { Resource, Value_Scalar } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type DockerContainerizerOptions, defaults } from "./options.ts";
import { resourceSettings, updateRequest } from "./resource-settings.ts";
import type { TrackedContainer } from "./tracked-container.ts";

type Limits = Readonly<Record<string, Value_Scalar>>;

/** Holds a container to what its tasks have now. False: it is not there, or is over. */
export async function followTasks(
  { engine, cfs = defaults.cfs }: Pick<DockerContainerizerOptions, "engine" | "cfs">,
  tracked: TrackedContainer,
  resources: readonly Resource[],
  limits: Limits,
): Promise<boolean> {
  const { engineId } = tracked;
  if (engineId === undefined || tracked.isOver) return false;
  const settings = resourceSettings(resources, limits, { cfs, hostMemory: 0 });
  const request = updateRequest(settings, await engine.inspect(engineId));
  if (request !== undefined) await engine.update(engineId, request);
  tracked.resources = resources;
  tracked.limits = limits;
  return true;
}
