import type { Resource, Value_Scalar } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type DockerContainerizerOptions, defaults } from "./options.ts";
import { orderedMemory, resourceSettings, updateRequest } from "./resource-settings.ts";
import type { StateFiles } from "./state-files.ts";
import type { TrackedContainer } from "./tracked-container.ts";

type Limits = Readonly<Record<string, Value_Scalar>>;

/** Holds a container to what its tasks have now, but for memory that somebody ordered. False: it is not there, or is over. */
export async function followTasks(
  { engine, cfs = defaults.cfs }: Pick<DockerContainerizerOptions, "engine" | "cfs">,
  tracked: TrackedContainer,
  resources: readonly Resource[],
  limits: Limits,
): Promise<boolean> {
  const { engineId } = tracked;
  if (engineId === undefined || tracked.isOver) return false;
  const all = resourceSettings(resources, limits, { cfs, hostMemory: 0 });
  const { Memory: _limit, MemoryReservation: _request, ...others } = all;
  const settings = tracked.orderedMemory === undefined ? all : others;
  const request = updateRequest(settings, await engine.inspect(engineId));
  if (request !== undefined) await engine.update(engineId, request);
  tracked.resources = resources;
  tracked.limits = limits;
  return true;
}

/** Holds a running container to so many bytes of memory from now on. False: it does not run. Rejects with an EngineError. */
export async function limitMemory(
  { engine }: Pick<DockerContainerizerOptions, "engine">,
  state: StateFiles,
  tracked: TrackedContainer | undefined,
  bytes: number,
): Promise<boolean> {
  if (tracked?.engineId === undefined || tracked.isOver) return false;
  const now = await engine.inspect(tracked.engineId);
  if (!now.state.running) return false;
  await engine.update(tracked.engineId, orderedMemory(bytes, now));
  tracked.orderedMemory = bytes;
  await state.saveMemory(tracked.subject.containerId, bytes);
  return true;
}
