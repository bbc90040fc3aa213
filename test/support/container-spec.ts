import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import { CommandInfoSchema, ExecutorInfoSchema, FrameworkInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";

/** A container that runs `command` in a new sandbox below `folder`. */
export function containerSpec(
  folder: string,
  containerId: string,
  command: MessageInitShape<typeof CommandInfoSchema>,
  more: Partial<ContainerSpec> = {},
): ContainerSpec {
  const sandbox = join(folder, "sandboxes", containerId);
  mkdirSync(sandbox, { recursive: true });
  return {
    containerId,
    framework: create(FrameworkInfoSchema, { user: "root", name: "test", id: { value: "framework-1" } }),
    executor: create(ExecutorInfoSchema, { executorId: { value: "executor-1" } }),
    task: undefined,
    command: create(CommandInfoSchema, { shell: true, ...command }),
    container: undefined,
    sandbox,
    user: undefined,
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin", MESOS_SANDBOX: sandbox, MESOS_DIRECTORY: sandbox },
    resources: [],
    limits: {},
    checkpoint: true,
    ...more,
  };
}
