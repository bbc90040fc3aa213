import { create } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryAppends, systemError } from "../../../test/support/checkpoint-files.ts";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { Signal } from "../../base/signal.ts";
import { decode } from "../../mesos/codec.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  type ApplyOperationMessage,
  ApplyOperationMessageSchema,
  type UpdateOperationStatusMessage,
  UpdateOperationStatusRecord_Type,
  UpdateOperationStatusRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  Offer_Operation_Type,
  type Operation,
  OperationSchema,
  OperationState,
  Resource_ReservationInfo_Type,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid, uuidText } from "../../mesos/ids.ts";
import type { Resources } from "../../mesos/resources.ts";
import { parseResources } from "../../mesos/resources-text.ts";
import { Paths } from "../model/paths.ts";
import { readRecords } from "../model/record-file.ts";
import { Operations, OperationTable } from "./operations.ts";

const { DYNAMIC } = Resource_ReservationInfo_Type;
const cpus = (value: number) => ({
  name: "cpus",
  type: 0 as const,
  scalar: { value },
  reservations: [{ type: DYNAMIC, role: "web" }],
  allocationInfo: { role: "web" },
});

function reserve(value: number, id?: string): ApplyOperationMessage {
  return create(ApplyOperationMessageSchema, {
    frameworkId: { value: "f" },
    operationUuid: { value: newUuid() },
    operationInfo: {
      type: Offer_Operation_Type.RESERVE,
      reserve: { resources: [cpus(value)] },
      ...(id !== undefined && { id: { value: id } }),
    },
    resourceVersionUuid: { uuid: { value: newUuid() } },
  });
}

const paths = new Paths("/work");
let clock: TestClock;
let files: MemoryAppends;
let sent: UpdateOperationStatusMessage[];
let failures: string[];
let removed: string[];
let total: Resources;
let checkpointed: Operation[];
let version: string | undefined;
let settled: number;

/** An agent process; what it leaves is in `files`, `total` and `checkpointed`. */
const start = (): Operations => {
  const table = new OperationTable();
  const over = new Signal();
  over.on(() => {
    settled++;
  });
  return new Operations({
    clock,
    log: silentLogger,
    files,
    paths,
    identity: { id: "agent" },
    removeFolder: async (path) => {
      removed.push(path);
    },
    table,
    reservations: {
      change: async (convert) => {
        const next = convert(total);
        await settle();
        total = next;
        checkpointed = table.pending();
      },
    },
    master: {
      get version() {
        return version;
      },
      send: (_schema, message) => sent.push(message as unknown as UpdateOperationStatusMessage),
    },
    failed: (why) => failures.push(why),
    settled: over,
  });
};

const acknowledgement = (message: UpdateOperationStatusMessage | undefined) =>
  create(AcknowledgeOperationStatusMessageSchema, {
    ...(message?.status?.uuid && { statusUuid: message.status.uuid }),
    ...(message?.operationUuid && { operationUuid: message.operationUuid }),
  });

const recordsOf = (message: ApplyOperationMessage) => {
  const path = paths.meta.operationUpdates("agent", uuidText(message.operationUuid?.value ?? new Uint8Array()));
  const { records } = readRecords(files.contents.get(path) ?? Buffer.alloc(0));
  return records.map((bytes) => decode(UpdateOperationStatusRecordSchema, bytes));
};
const streamOf = (message: ApplyOperationMessage) => ({
  uuid: uuidText(message.operationUuid?.value ?? new Uint8Array()),
  records: recordsOf(message),
});

beforeEach(() => {
  clock = new TestClock();
  files = new MemoryAppends();
  [sent, failures, removed, checkpointed] = [[], [], [], []];
  total = parseResources("cpus:4");
  version = "1.11.0";
  settled = 0;
});

describe("operations", () => {
  it("are applied, checkpointed and reported, again and again until acknowledged", async () => {
    const operations = start();
    operations.resume();
    const message = reserve(1, "mine");
    await operations.apply(message);
    expect(total.reserved("web").cpus).toBe(1);
    expect(checkpointed).toHaveLength(1);
    expect(checkpointed[0]?.latestStatus?.state).toBe(OperationState.OPERATION_FINISHED);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      frameworkId: { value: "f" },
      agentId: { value: "agent" },
      operationUuid: { value: message.operationUuid?.value },
      status: { operationId: { value: "mine" }, agentId: { value: "agent" } },
    });
    const waits: number[] = [];
    for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600]) {
      await clock.advance(seconds * 1_000 - 1);
      waits.push(sent.length);
      await clock.advance(1);
    }
    expect(waits).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(sent.map(({ status }) => uuidText(status?.uuid?.value ?? new Uint8Array()))).size).toBe(1);
    await operations.acknowledge(acknowledgement(sent[0]));
    expect(operations.count).toBe(0);
    expect(checkpointed).toEqual([]);
    expect(removed).toEqual([paths.meta.operation("agent", streamOf(message).uuid)]);
    expect(recordsOf(message).map(({ type }) => type)).toEqual([
      UpdateOperationStatusRecord_Type.UPDATE,
      UpdateOperationStatusRecord_Type.ACK,
    ]);
    expect(settled).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("wait for the master, and start anew when it is there", async () => {
    const operations = start();
    await operations.apply(reserve(1));
    await clock.advance(100_000);
    expect(sent).toEqual([]);
    operations.resume();
    operations.pause();
    await clock.advance(100_000);
    expect(sent).toHaveLength(1);
    operations.resume();
    await clock.advance(10_000);
    expect(sent).toHaveLength(3);
  });

  it("ignore acknowledgements of another status, of nothing, and repeated ones", async () => {
    const operations = start();
    operations.resume();
    await operations.apply(reserve(1));
    const right = acknowledgement(sent[0]);
    await operations.acknowledge(
      create(AcknowledgeOperationStatusMessageSchema, { ...right, statusUuid: { value: newUuid() } } as never),
    );
    await operations.acknowledge(
      create(AcknowledgeOperationStatusMessageSchema, { ...right, operationUuid: { value: newUuid() } } as never),
    );
    expect(operations.count).toBe(1);
    await operations.acknowledge(right);
    await operations.acknowledge(right);
    expect(operations.count).toBe(0);
    expect(settled).toBe(1);
  });

  it("end the agent when the master counted on what is not here", async () => {
    const operations = start();
    operations.resume();
    await operations.apply(reserve(5));
    expect(failures).toEqual([expect.stringContaining("do not hold")]);
    expect(operations.count).toBe(0);
    expect(sent).toEqual([]);
  });

  it("are not applied twice", async () => {
    const operations = start();
    operations.resume();
    const message = reserve(1);
    await operations.apply(message);
    await operations.apply(message);
    expect(total.reserved("web").cpus).toBe(1);
    expect(sent).toHaveLength(1);
  });

  it("of a resource provider are refused with a status that nobody acknowledges", async () => {
    const operations = start();
    const message = reserve(1, "mine");
    for (const resource of message.operationInfo?.reserve?.resources ?? [])
      resource.providerId = { $typeName: "mesos.v1.ResourceProviderID", value: "csi" };
    await operations.apply(message);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.status).toMatchObject({ state: OperationState.OPERATION_DROPPED, operationId: { value: "mine" } });
    expect(sent[0]?.status?.uuid).toBeUndefined();
    expect(total.reserved().isEmpty).toBe(true);
  });

  it("are reported even when their file cannot be written: they are in the agent's checkpoint", async () => {
    const operations = start();
    operations.resume();
    files.failing = systemError("ENOSPC");
    await operations.apply(reserve(1));
    expect(sent).toHaveLength(1);
    expect(failures).toEqual([]);
  });
});

describe("towards masters that take no feedback", () => {
  it("a status without an id goes once, with nothing to acknowledge, and is forgotten", async () => {
    version = "1.7.0";
    const operations = start();
    operations.resume();
    await operations.apply(reserve(1));
    expect(total.reserved("web").cpus).toBe(1);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.status?.uuid).toBeUndefined();
    expect(operations.count).toBe(0);
    expect(checkpointed).toEqual([]);
    expect(settled).toBe(1);
  });

  it("what a newer master left behind is not announced, and goes without a uuid or waits for the next newer one", async () => {
    const operations = start();
    await operations.apply(reserve(1));
    await operations.apply(reserve(1, "mine"));
    expect(operations.announced()).toHaveLength(2);
    version = "1.7.0";
    expect(operations.announced()).toEqual([]);
    operations.resume();
    await settle();
    expect(sent.map(({ status }) => status?.uuid)).toEqual([undefined]);
    expect(operations.count).toBe(1);
    operations.pause();
    version = "1.8.0";
    operations.resume();
    expect(sent[1]?.status).toMatchObject({ operationId: { value: "mine" } });
    expect(sent[1]?.status?.uuid).toBeDefined();
  });
});

describe("after a restart", () => {
  it("what was not acknowledged is sent with the uuid that it had", async () => {
    const before = start();
    before.resume();
    const message = reserve(1, "mine");
    await before.apply(message);
    before.pause();
    const after = start();
    after.load(checkpointed);
    await after.recover([streamOf(message)]);
    after.resume();
    expect(sent).toHaveLength(2);
    expect(sent[1]?.status?.uuid?.value).toEqual(sent[0]?.status?.uuid?.value);
    expect(recordsOf(message)).toHaveLength(1);
  });

  it("a status whose file was not written yet gets it now", async () => {
    const before = start();
    files.failing = systemError("EIO");
    const message = reserve(1);
    await before.apply(message);
    files.failing = undefined;
    const after = start();
    after.load(checkpointed);
    await after.recover([]);
    after.resume();
    expect(sent).toHaveLength(1);
    expect(recordsOf(message)).toHaveLength(1);
  });

  it("what was acknowledged just before is forgotten, and so is a file of nothing", async () => {
    const before = start();
    before.resume();
    const message = reserve(1);
    await before.apply(message);
    const loaded = checkpointed;
    await before.acknowledge(acknowledgement(sent[0]));
    const after = start();
    after.load(loaded);
    const orphan = { uuid: uuidText(newUuid()), records: [] };
    await after.recover([streamOf(message), orphan]);
    after.resume();
    expect(after.count).toBe(0);
    expect(sent).toHaveLength(1);
    expect(removed).toContain(paths.meta.operation("agent", orphan.uuid));
  });

  it("what a C++ agent had only begun is done", async () => {
    const message = reserve(2, "begun");
    const begun = create(OperationSchema, {
      ...(message.operationInfo && { info: message.operationInfo }),
      ...(message.operationUuid && { uuid: message.operationUuid }),
      frameworkId: { value: "f" },
      agentId: { value: "agent" },
      latestStatus: { state: OperationState.OPERATION_PENDING },
    });
    const after = start();
    after.load([begun]);
    await after.recover([]);
    expect(total.reserved("web").cpus).toBe(2);
    after.resume();
    expect(sent[0]?.status).toMatchObject({
      state: OperationState.OPERATION_FINISHED,
      operationId: { value: "begun" },
    });
    expect(after.pending().map(({ latestStatus }) => latestStatus?.state)).toEqual([OperationState.OPERATION_FINISHED]);
  });

  it("a new agent leaves alone what another one had", () => {
    const after = start();
    after.load([
      create(OperationSchema, { uuid: { value: newUuid() }, info: {}, latestStatus: { state: 2 } } as never),
    ]);
    after.abandon();
    expect(after.pending()).toEqual([]);
  });
});
