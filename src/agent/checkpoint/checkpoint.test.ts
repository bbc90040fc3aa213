import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyFiles } from "../../../test/support/faulty-files.ts";
import { updateOf, uuidOf } from "../../../test/support/updates.ts";
import { UserError } from "../../base/errors.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import { encode } from "../../mesos/codec.ts";
import {
  RunTaskMessageSchema,
  StatusUpdateRecord_Type,
  StatusUpdateRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  DrainConfigSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskInfoSchema,
  TaskSchema,
  TaskState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../mesos/resources-text.ts";
import type { CheckpointedState } from "../model/checkpointed-state.ts";
import { checkpointFiles } from "../model/files.ts";
import { Paths } from "../model/paths.ts";
import { encodeRecord } from "../model/record-file.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../model/records.ts";
import { readState } from "./state.ts";
import { CheckpointStore } from "./store.ts";

const run = { agentId: "A", frameworkId: "framework", executorId: "task", containerId: "c2" };

let folder: string;
let paths: Paths;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
  paths = new Paths(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (strict: boolean, log: Logger = silentLogger): CheckpointedState => readState({ paths, log, strict });

const framework: FrameworkRecord = {
  frameworkId: "framework",
  info: create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "framework" }, checkpoint: true }),
  pid: "scheduler(1)@127.0.0.1:1",
  state: "RUNNING",
  executors: new Map(),
  pending: new Map(),
  completedExecutors: [],
};

const executor = (containerId: string): ExecutorRecord => ({
  executorId: "task",
  frameworkId: "framework",
  info: create(ExecutorInfoSchema, { executorId: { value: "task" }, command: { value: "x" } }),
  containerId,
  directory: "/",
  kind: "command",
  state: "REGISTERING",
  containerizer: undefined,
  pid: undefined,
  tasks: new Map(),
  completed: [],
  everDelivered: false,
  since: 0,
});

const info = create(TaskInfoSchema, { name: "t", taskId: { value: "task" }, agentId: { value: "A" } });

const task: TaskRecord = {
  taskId: "task",
  frameworkId: "framework",
  task: create(TaskSchema, {
    name: "t",
    taskId: { value: "task" },
    frameworkId: { value: "framework" },
    agentId: { value: "A" },
    state: TaskState.TASK_STAGING,
  }),
  info,
  group: undefined,
  masterTracksExecutors: true,
  bucket: "pending",
  kill: undefined,
};

const updateRecord = (number: number) =>
  encodeRecord(
    encode(
      StatusUpdateRecordSchema,
      create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.UPDATE, update: updateOf(number) }),
    ),
  );
const ackRecord = (number: number) =>
  encodeRecord(
    encode(
      StatusUpdateRecordSchema,
      create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.ACK, uuid: uuidOf(number) }),
    ),
  );

/** Everything that an agent writes, once. */
async function writeAll(): Promise<void> {
  const store = new CheckpointStore(checkpointFiles, paths);
  await store.agent(create(AgentInfoSchema, { hostname: "h", port: 5051, id: { value: "A" } }));
  await store.bootId("boot");
  const resources = parseResources("disk(role):5;cpus(role):1").toMessages("pre");
  await store.resources(resources, async () => undefined);
  await store.drain("A", create(DrainConfigSchema, { markGone: true }));
  store.framework("A", framework);
  store.executor("A", executor("c1"));
  mkdirSync(paths.meta.run({ ...run, containerId: "c1" }), { recursive: true });
  store.executor("A", executor("c2"));
  store.task(run, task, create(RunTaskMessageSchema, { framework: framework.info, task: info, launchExecutor: true }));
  store.kill(run, "task", { policy: undefined, grace: 1500 });
  store.forkedPid(run, 4711);
  store.libprocessPid(run, "executor(1)@127.0.0.1:2");
  store.httpMarker(run);
  for (const record of [updateRecord(1), updateRecord(2), ackRecord(1)])
    await checkpointFiles.append(paths.meta.taskUpdates(run, "task"), record, false);
}

function filesBelow(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const below = join(path, entry.name);
      return entry.isDirectory() ? filesBelow(below) : entry.isFile() ? [below] : [];
    })
    .sort();
}

it("of a launch task.info comes last, since with it the task is believed", () => {
  const faulty = new FaultyFiles(Number.POSITIVE_INFINITY, "EIO", () => undefined);
  const store = new CheckpointStore(faulty.files, paths);
  store.executor("A", executor("c2"));
  store.task(
    run,
    { ...task, group: ["task"] },
    create(RunTaskMessageSchema, { framework: framework.info, task: info }),
  );
  store.forkedPid(run, 4711);
  expect(faulty.operations.filter((one) => !/^(folder|link) /.test(one))).toEqual([
    "create executor.info",
    "create executor_generated_for_command_task",
    "create task.launch",
    "create task.group",
    "create task.info",
    // Its container has started.
    "create forked.pid",
  ]);
});

describe("what is written", () => {
  it("is read back", async () => {
    await writeAll();
    const { agent, ...rest } = read(true);
    expect(rest).toMatchObject({ bootId: "boot", resourcesTarget: undefined, errors: 0 });
    expect(rest.resources.map(({ name, role }) => `${name}(${role})`).sort()).toEqual(["cpus(role)", "disk(role)"]);
    expect(agent).toMatchObject({ id: "A", info: { hostname: "h" }, drain: { markGone: true } });
    const [found] = agent?.frameworks ?? [];
    expect(found).toMatchObject({ id: "framework", pid: "scheduler(1)@127.0.0.1:1" });
    const [of] = found?.executors ?? [];
    expect(of).toMatchObject({ id: "task", generatedForCommandTask: true, olderRuns: ["c1"] });
    expect(of?.run).toMatchObject({
      containerId: "c2",
      completed: false,
      forkedPid: 4711,
      libprocessPid: "executor(1)@127.0.0.1:2",
      http: true,
    });
    const [only] = of?.run?.tasks ?? [];
    expect(only).toMatchObject({ id: "task", killGrace: 1500, launch: { launchExecutor: true } });
    const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");
    expect(only?.updates.map(({ update, acknowledged }) => [hex(update?.uuid), hex(acknowledged)])).toEqual([
      [hex(uuidOf(1)), undefined],
      [hex(uuidOf(2)), undefined],
      [undefined, hex(uuidOf(1))],
    ]);
  });

  it("lies where the C++ agent looks for it", async () => {
    await writeAll();
    new CheckpointStore(checkpointFiles, paths).sentinel(run);
    const names = filesBelow(folder).map((path) => path.slice(folder.length + 1));
    const runs = "meta/slaves/A/frameworks/framework/executors/task/runs/c2";
    expect(names).toEqual([
      "meta/boot_id",
      "meta/resources/resources.info",
      "meta/slaves/A/drain.config",
      "meta/slaves/A/frameworks/framework/executors/task/executor.info",
      "meta/slaves/A/frameworks/framework/executors/task/executor_generated_for_command_task",
      `${runs}/executor.sentinel`,
      `${runs}/http.marker`,
      `${runs}/pids/forked.pid`,
      `${runs}/pids/libprocess.pid`,
      `${runs}/tasks/task/task.info`,
      `${runs}/tasks/task/task.kill`,
      `${runs}/tasks/task/task.launch`,
      `${runs}/tasks/task/task.updates`,
      "meta/slaves/A/frameworks/framework/framework.info",
      "meta/slaves/A/frameworks/framework/framework.pid",
      "meta/slaves/A/slave.info",
    ]);
    expect(readlinkSync(paths.meta.latestAgent())).toBe(join(folder, "meta/slaves/A"));
    expect(readlinkSync(paths.meta.latestRun("A", "framework", "task"))).toBe(join(folder, runs));
    // Text has no newline, a message has its length before it.
    expect(readFileSync(paths.meta.forkedPid(run), "utf8")).toBe("4711");
    const slave = readFileSync(paths.meta.agentInfo("A"));
    expect(slave.readUInt32LE(0)).toBe(slave.length - 4);
    expect(read(true).agent?.frameworks[0]?.executors[0]?.run?.completed).toBe(true);
  });

  it("is nothing for a framework that does not checkpoint", () => {
    const store = new CheckpointStore(checkpointFiles, paths);
    store.framework("A", { ...framework, info: create(FrameworkInfoSchema, { user: "u", name: "n" }) });
    expect(filesBelow(folder)).toEqual([]);
  });

  it("replaces the newer file of a C++ agent's reservations, which it would believe", async () => {
    mkdirSync(join(folder, "meta/resources"), { recursive: true });
    writeFileSync(paths.meta.resourcesAndOperations(), "old");
    await new CheckpointStore(checkpointFiles, paths).resources([], async () => undefined);
    expect(filesBelow(folder)).toEqual([paths.meta.resources()]);
  });
});

describe("an interrupted change of reservations", () => {
  it("is seen by its target, an empty one too", async () => {
    const store = new CheckpointStore(checkpointFiles, paths);
    const failing = store.resources([], () => Promise.reject(new Error("crash")));
    await expect(failing).rejects.toThrow("crash");
    expect(read(true)).toMatchObject({ resources: [], resourcesTarget: [] });
  });

  it("is not carried out by half", async () => {
    const store = new CheckpointStore(checkpointFiles, paths);
    const two = parseResources("disk(role):5;cpus(role):1").toMessages("pre");
    await expect(store.resources(two, () => Promise.reject(new Error("crash")))).rejects.toThrow();
    const whole = readFileSync(paths.meta.resourcesTarget());
    writeFileSync(paths.meta.resourcesTarget(), whole.subarray(0, -1));
    expect(() => read(true)).toThrow(paths.meta.resourcesTarget());
    expect(read(false)).toMatchObject({ resourcesTarget: undefined, errors: 1 });
  });
});

describe("what is missing is normal", () => {
  it("an empty work_dir", () => {
    expect(read(true)).toEqual({
      bootId: undefined,
      operations: [],
      resources: [],
      resourcesTarget: undefined,
      agent: undefined,
      errors: 0,
    });
  });

  it.each([
    "slave.info",
    "latest",
    "framework.info",
    "executor.info",
    "task.info",
    "forked.pid",
    "boot_id",
    "task.updates",
  ])("%s", async (name) => {
    await writeAll();
    const victim =
      name === "latest" ? paths.meta.latestAgent() : filesBelow(folder).find((path) => path.endsWith(`/${name}`));
    rmSync(victim ?? "");
    expect(read(true).errors).toBe(0);
  });

  it("temporary files that a crash left behind", async () => {
    await writeAll();
    for (const place of ["meta/slaves/A", "meta/slaves/A/frameworks/framework/executors/task", "meta/resources"])
      writeFileSync(join(folder, place, "aB3xYz"), "half");
    expect(read(true).errors).toBe(0);
  });

  it("a link that is none is named", () => {
    mkdirSync(paths.meta.latestAgent(), { recursive: true });
    expect(() => read(true)).toThrow(paths.meta.latestAgent());
    rmSync(paths.meta.latestAgent(), { recursive: true });
    symlinkSync("/nowhere/gone", paths.meta.latestAgent());
    expect(read(true).agent).toBeUndefined();
  });
});

/** Reads strictly and leniently; returns whether strict named a file, after checking both. */
function survives(path: string, what: string): boolean {
  let problem: unknown;
  try {
    read(true);
  } catch (error) {
    problem = error;
  }
  if (problem !== undefined) {
    expect(problem, what).toBeInstanceOf(UserError);
    expect((problem as UserError).message, what).toContain(path);
    expect((problem as UserError).fix, what).toContain(paths.meta.latestAgent());
  }
  const { errors } = read(false);
  if (problem === undefined) expect(errors, what).toBe(0);
  else expect(errors, what).toBeGreaterThan(0);
  return problem !== undefined;
}

describe("damage, byte by byte", () => {
  it("truncated anywhere: an error that names the file, or what was whole", async () => {
    await writeAll();
    for (const path of filesBelow(folder)) {
      const whole = readFileSync(path);
      for (let length = 0; length < whole.length; length++) {
        writeFileSync(path, whole.subarray(0, length));
        const refused = survives(path, `${path} cut to ${length}`);
        // What a task.info said, its task.launch says too.
        const isKnown = path === paths.meta.taskInfo(run, "task");
        if (isKnown) expect(refused, `${path} cut to ${length}`).toBe(false);
        // A message that is cut is seen; text may not be, and appended records are kept as far as they are whole.
        else if (/\.(info|config|launch)$/.test(path) && length > 0 && path !== paths.meta.resources())
          expect(refused, `${path} cut to ${length}`).toBe(true);
        if (path.endsWith("task.updates")) expect(refused).toBe(false);
      }
      writeFileSync(path, whole);
    }
  });

  it("cuts a partial update off, so that the next append can be read", async () => {
    await writeAll();
    const path = paths.meta.taskUpdates(run, "task");
    const whole = readFileSync(path);
    const twoWhole = updateRecord(1).length + updateRecord(2).length;
    for (let length = twoWhole; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      read(true);
      await checkpointFiles.append(path, ackRecord(1), false);
      expect(readFileSync(path).equals(whole), `cut to ${length}`).toBe(true);
    }
  });

  it("flipped anywhere: never a crash", async () => {
    await writeAll();
    let noticed = 0;
    for (const path of filesBelow(folder)) {
      const whole = readFileSync(path);
      for (let position = 0; position < whole.length; position++) {
        const flipped = Buffer.from(whole);
        flipped[position] = (flipped[position] ?? 0) ^ 0xff;
        writeFileSync(path, flipped);
        if (survives(path, `${path} flipped at ${position}`)) noticed++;
      }
      writeFileSync(path, whole);
    }
    expect(noticed).toBeGreaterThan(200);
  });
});
