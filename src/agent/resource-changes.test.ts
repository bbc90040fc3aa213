import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import { Signal } from "../base/signal.ts";
import {
  type ApplyOperationMessage,
  ApplyOperationMessageSchema,
  type UpdateOperationStatusMessage,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  Offer_Operation_Type,
  type Resource,
  Resource_ReservationInfo_Type,
  ResourceSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { parseResources } from "../mesos/resources-text.ts";
import { readState } from "./checkpoint/state.ts";
import { CheckpointStore } from "./checkpoint/store.ts";
import { type CheckpointFiles, checkpointFiles } from "./model/files.ts";
import { Paths } from "./model/paths.ts";
import { Operations, OperationTable } from "./operations/operations.ts";
import { type ResourceChanges, recoverResources } from "./operations/resource-changes.ts";
import { Reservations } from "./reservations/reservations.ts";

const { RESERVE, CREATE, DESTROY } = Offer_Operation_Type;
const info = create(AgentInfoSchema, {
  id: { value: "agent" },
  hostname: "node",
  checkpoint: true,
  resources: parseResources("cpus:4;disk:100").toMessages("pre"),
});
const disk = (size: number, more: object = {}): Resource =>
  create(ResourceSchema, {
    name: "disk",
    type: 0,
    scalar: { value: size },
    reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: "web" }],
    allocationInfo: { role: "web" },
    ...more,
  } as never);
const volume = disk(60, { disk: { persistence: { id: "v" }, volume: { mode: 1, containerPath: "v" } } });
const apply = (operationInfo: object, id?: string): ApplyOperationMessage =>
  create(ApplyOperationMessageSchema, {
    frameworkId: { value: "f" },
    operationUuid: { value: newUuid() },
    operationInfo: { ...operationInfo, ...(id !== undefined && { id: { value: id } }) },
    resourceVersionUuid: { uuid: { value: newUuid() } },
  } as never);

let workDir: string;
let paths: Paths;
let ended: string[];
let sent: UpdateOperationStatusMessage[];

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), "resource-changes-"));
  paths = new Paths(workDir);
  [ended, sent] = [[], []];
});
afterEach(() => rmSync(workDir, { recursive: true }));

class Crash extends Error {}

/** Files of a process that dies at the `limit`-th change: nothing is written from then on. */
function mortalFiles(limit: number): { readonly files: CheckpointFiles; readonly died: () => boolean } {
  let changes = 0;
  const files = new Proxy(checkpointFiles, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as (...rest: unknown[]) => unknown;
      if (name === "read") return method;
      return (...rest: unknown[]) => {
        changes++;
        if (changes >= limit) throw new Crash("the process is gone");
        return method.apply(target, rest);
      };
    },
  });
  return { files, died: () => changes >= limit };
}

/** What an agent process does with resources, from recovery on. */
async function start(files: CheckpointFiles = checkpointFiles): Promise<ResourceChanges> {
  const store = new CheckpointStore(files, paths);
  const table = new OperationTable();
  const configured = Resources.of(info.resources);
  const reservations = new Reservations({ paths, log: silentLogger, configured, store, operations: table });
  const operations = new Operations({
    clock: new TestClock(),
    log: silentLogger,
    files,
    paths,
    identity: { id: "agent" },
    master: {
      version: "1.11.0",
      send: (_schema, message) => sent.push(message as unknown as UpdateOperationStatusMessage),
    },
    reservations,
    table,
    settled: new Signal(),
    removeFolder: (path) => rm(path, { recursive: true, force: true }),
    failed: (why) => ended.push(why),
  });
  const changes = { reservations, operations };
  const state = readState({ paths, log: silentLogger, strict: true });
  await recoverResources(changes, state);
  await changes.operations.recover(state.agent?.operationStreams ?? []);
  changes.operations.resume();
  return changes;
}

const volumePath = (): string => join(workDir, "volumes", "roles", "web", "v");

async function preparedAgent(): Promise<void> {
  const store = new CheckpointStore(checkpointFiles, paths);
  await store.agent(info);
  const { operations } = await start();
  await operations.apply(apply({ type: RESERVE, reserve: { resources: [disk(100)] } }));
}

describe("what an agent holds", () => {
  it("comes back with the operations that made it, volumes and all", async () => {
    await preparedAgent();
    const before = await start();
    await before.operations.apply(apply({ type: CREATE, create: { volumes: [volume] } }, "mine"));
    expect(existsSync(volumePath())).toBe(true);
    const after = await start();
    expect(after.reservations.all.equals(before.reservations.all)).toBe(true);
    expect(after.operations.pending().map(({ info: operation }) => operation?.id?.value)).toEqual([undefined, "mine"]);
    expect(after.reservations.all.toMessages().every(({ allocationInfo }) => allocationInfo === undefined)).toBe(true);
  });

  it("that does not fit --resources any more stops the agent with what to do", async () => {
    await preparedAgent();
    const resources = info.resources;
    info.resources = parseResources("cpus:4;disk:50").toMessages("pre");
    try {
      await expect(start()).rejects.toThrow(/incompatible with agent resources/);
    } finally {
      info.resources = resources;
    }
  });

  it("is what a list of an old master says, written once however often it says so", async () => {
    const { reservations } = await start();
    await reservations.replace([disk(40), volume]);
    expect(existsSync(volumePath())).toBe(true);
    const counting = mortalFiles(Number.POSITIVE_INFINITY);
    const again = await start(counting.files);
    await again.reservations.replace([volume, disk(40)]);
    await again.reservations.replace([disk(100)]);
    expect(existsSync(volumePath())).toBe(false);
    await expect(again.reservations.replace([disk(101)])).rejects.toThrow(/incompatible/);
    expect(again.reservations.all.disk).toBe(100);
  });
});

describe("a crash at any write of an operation", () => {
  it.each([
    ["CREATE", [], apply({ type: CREATE, create: { volumes: [volume] } }, "mine")],
    [
      "DESTROY",
      [apply({ type: CREATE, create: { volumes: [volume] } })],
      apply({ type: DESTROY, destroy: { volumes: [volume] } }, "mine"),
    ],
  ] as const)("of %s leaves it done with its feedback to come, or not done at all", async (name, first, operation) => {
    const outcomes = new Set<string>();
    for (let limit = 1; ; limit++) {
      rmSync(workDir, { recursive: true, force: true });
      await preparedAgent();
      const setUp = await start();
      for (const message of first) await setUp.operations.apply(message);
      const before = setUp.reservations.all;
      const { files, died } = mortalFiles(limit);
      await (await start(files)).operations.apply(operation);
      if (!died()) break;
      sent = [];
      const { reservations, operations } = await start();
      const isPending = operations.pending().some(({ info: about }) => about?.id?.value === "mine");
      const hasVolume = !reservations.all.persistentVolumes().isEmpty;
      expect(existsSync(volumePath()), `volume after a crash at write ${limit}`).toBe(hasVolume);
      expect(isPending, `feedback after a crash at write ${limit}`).toBe(!reservations.all.equals(before));
      expect(hasVolume === (name === "CREATE")).toBe(isPending);
      expect(sent.some(({ status }) => status?.operationId?.value === "mine")).toBe(isPending);
      outcomes.add(isPending ? "done" : "not done");
    }
    expect([...outcomes].sort()).toEqual(["done", "not done"]);
  });
});
