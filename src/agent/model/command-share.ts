import { create } from "@bufbuild/protobuf";
import {
  type ContainerInfo,
  ContainerInfo_Type,
  type Resource,
  ResourceSchema,
  Value_Type,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ExecutorRecord } from "./records.ts";

const CPUS = 0.1;
const MEGABYTES = 32;

/**
 * What C++ agents grant a command task's container on top of what the task has, for the executor that they run in it. Tasks
 * were sized with it: without it one that ran there for years is killed here for its memory. Of the task's own role.
 */
export function commandShare(task: readonly Resource[]): Resource[] {
  const allocationInfo = task.find((resource) => resource.allocationInfo !== undefined)?.allocationInfo;
  const share = (name: string, value: number): Resource =>
    create(ResourceSchema, {
      name,
      type: Value_Type.SCALAR,
      scalar: { value },
      ...(allocationInfo && { allocationInfo }),
    });
  return [share("cpus", CPUS), share("mem", MEGABYTES)];
}

/**
 * What the container of an executor has besides its tasks' resources: the executor's own, or the share of a command task.
 * A Docker container has none: there the C++ agent's executor is outside of it.
 */
export function executorShare(
  { kind, info }: Pick<ExecutorRecord, "kind" | "info">,
  container: ContainerInfo | undefined,
  task: readonly Resource[],
): readonly Resource[] {
  // An executor that a C++ agent made up says so itself.
  if (kind !== "command") return info.resources;
  if (container?.type === ContainerInfo_Type.DOCKER) return [];
  return info.resources.length > 0 ? info.resources : commandShare(task);
}
