import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  ApplyOperationMessageSchema,
  CheckpointResourcesMessageSchema,
  ReconcileOperationsMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { Offer_Operation_Type, OperationState, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask } from "../support/agent-under-test.ts";
import { type Init, ScriptedMaster, until } from "../support/scripted-master.ts";
import { uuidOf } from "../support/updates.ts";

const { OPERATION_FINISHED, OPERATION_ERROR, OPERATION_DROPPED } = OperationState;

let test: AgentUnderTest;

const resources = "cpus:10;mem:10000;disk(r):1000";

beforeEach(async () => {
  test = await AgentUnderTest.registered({ resources });
});
afterEach(() => test.close());

const reserved = (value: number) => ({
  name: "cpus",
  type: 0,
  scalar: { value },
  reservations: [{ type: 2, role: "r" }],
});
const volume = {
  name: "disk",
  type: 0,
  scalar: { value: 100 },
  reservations: [{ type: 1, role: "r" }],
  disk: { persistence: { id: "v" }, volume: { containerPath: "data", mode: 1 } },
};

const reserve = (value = 2) => ({ type: Offer_Operation_Type.RESERVE, reserve: { resources: [reserved(value)] } });
const createVolume = { type: Offer_Operation_Type.CREATE, create: { volumes: [volume] } };
const destroyVolume = { type: Offer_Operation_Type.DESTROY, destroy: { volumes: [volume] } };

function apply(number: number, operation: object, id: string | undefined = `o${number}`): void {
  test.master.send(ApplyOperationMessageSchema, {
    frameworkId: { value: "F" },
    operationInfo: { ...(id !== undefined && { id: { value: id } }), ...operation },
    operationUuid: { value: uuidOf(number) },
    resourceVersionUuid: { uuid: { value: uuidOf(0) } },
  } as Init<typeof ApplyOperationMessageSchema>);
}

const uuidBytes = (number: number): string => Buffer.from(uuidOf(number)).toString("hex");
const told = (number: number) =>
  test.master.operations.filter(
    ({ operationUuid }) => Buffer.from(operationUuid?.value ?? []).toString("hex") === uuidBytes(number),
  );

const state = (number: number, wanted: OperationState) =>
  until(`operation ${number} in state ${wanted}`, () => told(number).find(({ status }) => status?.state === wanted));

function acknowledge(number: number, statusUuid = told(number)[0]?.status?.uuid?.value ?? new Uint8Array()): void {
  test.master.send(AcknowledgeOperationStatusMessageSchema, {
    statusUuid: { value: statusUuid },
    operationUuid: { value: uuidOf(number) },
  });
}

const volumeFolder = () => join(test.workDir, "volumes", "roles", "r", "v");
const operationFiles = ["meta", "slaves", "S0", "operations", "*", "operation.updates"];
const checkpointed = () => test.master.reregistrations.at(-1)?.checkpointedResources;

/** A change is over when its target is gone. */
const isCommitted = (): boolean =>
  test.has("meta", "resources", "resources_and_operations.state") &&
  !test.has("meta", "resources", "resources_and_operations.target");

describe("an operation", () => {
  it("is applied, written down and reported, and a task may use it at once", async () => {
    apply(1, reserve());
    test.run(commandTask("one", { resources: [reserved(1)] } as never));
    expect(await state(1, OPERATION_FINISHED)).toMatchObject({
      agentId: { value: "S0" },
      frameworkId: { value: "F" },
      status: { operationId: { value: "o1" }, agentId: { value: "S0" } },
    });
    expect(told(1)[0]?.status?.uuid?.value).toHaveLength(16);
    expect(Object.hasOwn(told(1)[0]?.status ?? {}, "message"), "there is nothing to explain").toBe(false);
    await test.master.status("one", TaskState.TASK_RUNNING);
    expect(test.has("meta", "resources", "resources_and_operations.state")).toBe(true);
    expect(test.has("meta", "resources", "resources.info")).toBe(true);
  });

  it("makes the volume's folder, and removes it with what is in it", async () => {
    apply(1, createVolume);
    await state(1, OPERATION_FINISHED);
    expect(existsSync(volumeFolder())).toBe(true);
    writeFileSync(join(volumeFolder(), "file"), "");
    apply(2, destroyVolume);
    await state(2, OPERATION_FINISHED);
    expect(existsSync(volumeFolder())).toBe(false);
  });

  it("is reported again until it is acknowledged, by its own uuid", async () => {
    apply(1, reserve());
    await state(1, OPERATION_FINISHED);
    await test.clock.advance(10_000);
    await until("the second time", () => told(1).length === 2);
    acknowledge(1, uuidOf(99));
    await test.clock.advance(20_000);
    await until("the third time", () => told(1).length === 3);
    acknowledge(1);
    await until("the file's end", () => !test.has(...operationFiles));
    await test.clock.advance(600_000);
    await test.master.quiet();
    expect(told(1)).toHaveLength(3);
  });

  it("is applied once, however often it comes", async () => {
    apply(1, reserve());
    await state(1, OPERATION_FINISHED);
    apply(1, reserve());
    await test.master.quiet();
    test.loseLeader();
    await test.register();
    expect(checkpointed()?.filter(({ name }) => name === "cpus")).toMatchObject([{ scalar: { value: 2 } }]);
  });

  it("that cannot be meant for an agent is refused, without a uuid to acknowledge", async () => {
    apply(1, { type: Offer_Operation_Type.LAUNCH, launch: { taskInfos: [] } });
    const { status } = await state(1, OPERATION_ERROR);
    expect(status?.uuid).toBeUndefined();
    expect(status?.message).toContain("it names no resources");
  });

  it("on a resource provider is dropped: there is none", async () => {
    const provided = { ...reserved(1), providerId: { value: "p" } };
    apply(1, { type: Offer_Operation_Type.RESERVE, reserve: { resources: [provided] } });
    await state(1, OPERATION_DROPPED);
  });

  it("that contradicts what is here ends the agent: the master has counted on it", async () => {
    apply(1, reserve(50));
    expect(await test.node.ended).toContain("cannot apply operation 'o1'");
    expect(test.node.exitCode).toBe(1);
    expect(told(1)).toEqual([]);
  });

  it("from somebody who does not lead is ignored", async () => {
    const stranger = test.closing(await ScriptedMaster.start(test.port));
    stranger.send(ApplyOperationMessageSchema, {
      operationInfo: reserve(),
      operationUuid: { value: uuidOf(1) },
      resourceVersionUuid: { uuid: { value: uuidOf(0) } },
    } as Init<typeof ApplyOperationMessageSchema>);
    await stranger.quiet();
    await test.master.quiet();
    expect(test.master.operations).toEqual([]);
    expect(test.has("meta", "resources", "resources.info")).toBe(false);
  });

  it("waits for the agent to be registered", async () => {
    test.master.answers = false;
    test.lead();
    apply(1, reserve());
    await test.master.quiet();
    expect(test.master.operations).toEqual([]);
  });
});

describe("operations that are not acknowledged", () => {
  it("are told with the announcement and again after a re-registration", async () => {
    apply(1, reserve());
    await state(1, OPERATION_FINISHED);
    test.loseLeader();
    await test.clock.advance(60_000);
    expect(told(1)).toHaveLength(1);
    await test.register();
    expect(test.master.announcements.at(-1)?.operations?.operations).toHaveLength(1);
    await until("the second time", () => told(1).length === 2);
  });

  it("survive a restart, with the same uuid", async () => {
    apply(1, reserve());
    await state(1, OPERATION_FINISHED);
    await test.restart({ resources });
    await until("the second time", () => told(1).length === 2);
    const [before, after] = told(1).map(({ status }) => Buffer.from(status?.uuid?.value ?? []).toString("hex"));
    expect(after).toBe(before);
    acknowledge(1);
    await until("the file's end", () => !test.has(...operationFiles));
    await test.restart({ resources });
    expect(told(1)).toHaveLength(2);
    expect(checkpointed()?.filter(({ name }) => name === "cpus")).toMatchObject([{ scalar: { value: 2 } }]);
  });

  it("are not sent while they are being written", async () => {
    const disk = Promise.withResolvers<void>();
    const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
      if (path.endsWith("operation.updates")) await disk.promise;
      await checkpointFiles.append(path, data, durable);
    };
    await test.restart({ resources, files: { ...checkpointFiles, append } });
    apply(1, reserve());
    await until("the checkpoint", () => test.has("meta", "resources", "resources_and_operations.state"));
    await test.master.quiet();
    expect(test.master.operations).toEqual([]);
    disk.resolve();
    await state(1, OPERATION_FINISHED);
  });
});

describe("a reconciliation of operations", () => {
  const ask = (number: number, frameworkId?: string) =>
    test.master.send(ReconcileOperationsMessageSchema, {
      operations: [{ operationUuid: { value: uuidOf(number) } }],
      ...(frameworkId !== undefined && { frameworkId: { value: frameworkId } }),
    });

  it("tells the master that what it misses was dropped", async () => {
    ask(7);
    expect((await state(7, OPERATION_DROPPED)).status?.uuid).toBeUndefined();
  });

  it("tells a framework how its operation is, without a uuid", async () => {
    apply(1, reserve());
    await state(1, OPERATION_FINISHED);
    ask(1, "F");
    await until("the answer", () => told(1).length === 2);
    expect(told(1)[1]).toMatchObject({ status: { state: OPERATION_FINISHED } });
    expect(told(1)[1]?.status?.uuid).toBeUndefined();
  });
});

describe("an old master's list of what is reserved", () => {
  const list = (...entries: readonly object[]) =>
    test.master.send(CheckpointResourcesMessageSchema, { resources: entries } as never);

  it("is written down, makes folders, and is told at the next registration", async () => {
    list(reserved(3), volume);
    await until("the folder", () => existsSync(volumeFolder()));
    await until("the list", isCommitted);
    await test.master.quiet();
    test.loseLeader();
    await test.register();
    expect(
      checkpointed()
        ?.map(({ name }) => name)
        .sort(),
    ).toEqual(["cpus", "disk"]);
  });

  it("takes back what is not in it any more", async () => {
    list(volume);
    await until("the folder", () => existsSync(volumeFolder()));
    list();
    await until("the folder's end", () => !existsSync(volumeFolder()));
  });

  it("survives a restart; folders that a crash left unmade are made", async () => {
    list(reserved(3));
    await until("the list", isCommitted);
    await test.master.quiet();
    await test.restart({ resources });
    expect(checkpointed()).toMatchObject([{ name: "cpus", scalar: { value: 3 } }]);
  });

  it("that the agent cannot hold ends it", async () => {
    list(reserved(300));
    expect(await test.node.ended).toContain("cannot checkpoint resources");
    expect(test.node.exitCode).toBe(1);
  });
});

it("reservations that the agent's resources cannot hold any more keep it from starting", async () => {
  apply(1, reserve(5));
  await state(1, OPERATION_FINISHED);
  await test.kill();
  mkdirSync(test.workDir, { recursive: true });
  await expect(test.start({ resources: "cpus:4;mem:10000;disk(r):1000" })).rejects.toThrow(/incompatible/i);
});
