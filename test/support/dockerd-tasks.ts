import { randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  ResourceSchema,
  TaskInfoSchema,
  Value_Type,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";

type DockerInit = NonNullable<MessageInitShape<typeof ContainerInfoSchema>["docker"]>;

type CommandInit = Extract<MessageInitShape<typeof CommandInfoSchema>, { $typeName?: never }>;

export interface TaskWishes {
  readonly docker?: Omit<DockerInit, "$typeName">;
  readonly container?: Omit<MessageInitShape<typeof ContainerInfoSchema>, "$typeName" | "docker">;
  readonly command?: CommandInit;
  readonly environment?: Record<string, string>;
  readonly cpus?: number;
  readonly mem?: number;
  readonly disk?: number;
  readonly ports?: readonly [number, number];
  readonly limits?: ContainerSpec["limits"];
  readonly executor?: boolean;
}

/** A spec as the agent makes it, its sandbox made below `workDir`. The image is `box:1`. */
export async function dockerSpec(workDir: string, script: string, wishes: TaskWishes = {}): Promise<ContainerSpec> {
  const containerId = randomUUID();
  const sandbox = join(workDir, "slaves/S1/frameworks/F1/executors/t1/runs", containerId);
  await mkdir(sandbox, { recursive: true });
  const variables = Object.entries(wishes.environment ?? {}).map(([name, value]) => ({ name, value }));
  const own = { shell: true, value: script, environment: { variables } };
  const command = create(CommandInfoSchema, { ...own, ...wishes.command });
  const container = create(ContainerInfoSchema, {
    type: ContainerInfo_Type.DOCKER,
    ...wishes.container,
    docker: { image: "box:1", ...wishes.docker } as DockerInit,
  });
  const scalar = (name: string, value: number) =>
    create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
  const { ports } = wishes;
  return {
    containerId,
    framework: create(FrameworkInfoSchema, { id: { value: "F1" }, user: "root", name: "test" }),
    executor: create(ExecutorInfoSchema, { executorId: { value: "t1" } }),
    task: wishes.executor
      ? undefined
      : create(TaskInfoSchema, { name: "t1", taskId: { value: "t1" }, command, container }),
    command,
    container,
    sandbox,
    user: undefined,
    environment: wishes.environment ?? {},
    resources: [
      scalar("cpus", wishes.cpus ?? 0.1),
      scalar("mem", wishes.mem ?? 32),
      ...(wishes.disk === undefined ? [] : [scalar("disk", wishes.disk)]),
      ...(ports === undefined
        ? []
        : [
            create(ResourceSchema, {
              name: "ports",
              type: Value_Type.RANGES,
              ranges: { range: [{ begin: BigInt(ports[0]), end: BigInt(ports[1]) }] },
            }),
          ]),
    ],
    limits: wishes.limits ?? {},
    checkpoint: true,
  };
}

export const readOutput = (spec: ContainerSpec, name = "stdout"): Promise<string> =>
  readFile(join(spec.sandbox, name), "utf8");
