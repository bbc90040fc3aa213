import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { damaged, seeded } from "../../../test/support/damage.ts";
import { updateOf } from "../../../test/support/updates.ts";
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
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskInfoSchema,
  TaskSchema,
  TaskState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../mesos/resources.ts";
import { parseResources } from "../../mesos/resources-text.ts";
import { checkpointFiles } from "../model/files.ts";
import { Paths, type RunKey } from "../model/paths.ts";
import { encodeRecord } from "../model/record-file.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../model/records.ts";
import { readState } from "./state.ts";
import { CheckpointStore } from "./store.ts";

let folder: string;
let paths: Paths;
const lines: string[] = [];
const log: Logger = { ...silentLogger, error: (line) => lines.push(line), warn: (line) => lines.push(line) };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "damage-"));
  paths = new Paths(folder);
  lines.splice(0);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keyOf = (name: string): RunKey => ({
  agentId: "A",
  frameworkId: "framework",
  executorId: name,
  containerId: `c-${name}`,
});
const command = { value: "sleep 1000" };

/** A running command task as our agent writes it down. */
async function writeTask(store: CheckpointStore, framework: FrameworkRecord, name: string): Promise<void> {
  const ids = { taskId: { value: name }, agentId: { value: "A" } };
  const resources = parseResources("cpus:1;mem:32").toMessages();
  const info = create(TaskInfoSchema, { name, ...ids, command, resources });
  const text = `Command Executor (Task: ${name}) (Command: sh -c 'sleep 1000')`;
  const executor = {
    executorId: name,
    frameworkId: "framework",
    info: create(ExecutorInfoSchema, {
      executorId: { value: name },
      frameworkId: { value: "framework" },
      name: text,
      source: name,
      command,
    }),
    containerId: keyOf(name).containerId,
    kind: "command",
  } as ExecutorRecord;
  store.executor("A", executor);
  const frameworkId = { value: "framework" };
  const task = create(TaskSchema, { name, ...ids, frameworkId, state: TaskState.TASK_STAGING, resources });
  store.task(
    keyOf(name),
    { taskId: name, task } as TaskRecord,
    create(RunTaskMessageSchema, { framework: framework.info, task: info, launchExecutor: true }),
  );
  store.forkedPid(keyOf(name), 4711);
  const update = updateOf(1, TaskState.TASK_RUNNING, { task: name });
  if (update.status?.agentId !== undefined) update.status.agentId.value = "A";
  const record = create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.UPDATE, update });
  const bytes = encodeRecord(encode(StatusUpdateRecordSchema, record));
  await checkpointFiles.append(paths.meta.taskUpdates(keyOf(name), name), bytes, false);
}

async function writeAll(): Promise<void> {
  const store = new CheckpointStore(checkpointFiles, paths);
  await store.agent(create(AgentInfoSchema, { hostname: "h", port: 5051, id: { value: "A" } }));
  await store.bootId("boot");
  await store.resources(parseResources("disk(role):5").toMessages("pre"), async () => undefined);
  const info = create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "framework" }, checkpoint: true });
  const framework = { frameworkId: "framework", info, pid: "scheduler(1)@127.0.0.1:1" } as FrameworkRecord;
  store.framework("A", framework);
  await writeTask(store, framework, "one");
  await writeTask(store, framework, "two");
}

/** By the one path that is no link. */
const filesBelow = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return filesBelow(join(path, entry.name));
    return entry.isFile() ? [join(path, entry.name)] : [];
  });

/** What the rest of the agent relies on, for everything that was read. */
function expectSound(what: string): { executors: number; commands: number } {
  const { agent } = readState({ paths, log, strict: false });
  let [executors, commands] = [0, 0];
  for (const framework of agent?.frameworks ?? []) {
    encode(FrameworkInfoSchema, framework.info);
    for (const { id, info, run, generatedForCommandTask } of framework.executors) {
      executors++;
      if (generatedForCommandTask === true) commands++;
      encode(ExecutorInfoSchema, info);
      Resources.of(info.resources);
      expect(info.frameworkId?.value ?? framework.id, what).toBe(framework.id);
      for (const { task, launch, updates } of run?.tasks ?? []) {
        encode(TaskSchema, task);
        Resources.of([...task.resources, ...(launch?.task?.resources ?? [])]);
        const ids = [task.frameworkId?.value, task.agentId?.value, task.executorId?.value ?? id];
        expect(ids, what).toEqual([framework.id, "A", id]);
        expect(launch?.framework?.id?.value ?? framework.id, what).toBe(framework.id);
        for (const { update } of updates) {
          if (update === undefined) continue;
          encode(StatusUpdateRecordSchema, create(StatusUpdateRecordSchema, { type: 0, update }));
          expect(update.executorId?.value ?? id, what).toBe(id);
          expect(update.status?.agentId?.value ?? "A", what).toBe("A");
        }
      }
    }
  }
  return { executors, commands };
}

/** Reads strictly: fine, or a UserError that names the file. Says whether it was read. */
function readsStrictly(path: string, what: string): boolean {
  try {
    readState({ paths, log, strict: true });
    return true;
  } catch (error) {
    expect(error, what).toBeInstanceOf(UserError);
    expect((error as UserError).message, what).toContain(path);
    return false;
  }
}

describe("a damaged checkpoint", () => {
  it("is named, and what is read is sound: 600 trials over every file", async () => {
    await writeAll();
    const random = seeded(2024);
    const files = filesBelow(folder);
    const contents = files.map((path) => readFileSync(path));
    for (let trial = 0; trial < 600; trial++) {
      const path = files[trial % files.length] as string;
      const whole = readFileSync(path);
      const { how, content } = damaged(whole, random, contents);
      const what = `trial ${trial}: ${path.slice(folder.length)} ${how}`;
      writeFileSync(path, content);
      lines.splice(0);
      readsStrictly(path, what);
      writeFileSync(path, content);
      expectSound(what);
      for (const line of lines) expect(line, what).toContain(path);
      writeFileSync(path, whole);
    }
  });

  it.each(["executor_generated_for_command_task", "task.launch", "forked.pid", "boot_id"])(
    "%s does not make an executor process of a command task: 150 trials",
    async (name) => {
      await writeAll();
      const random = seeded(name.length);
      const path = filesBelow(folder).find((file) => file.endsWith(`/${name}`)) ?? name;
      const whole = readFileSync(path);
      for (let trial = 0; trial < 150; trial++) {
        const { how, content } = damaged(whole, random, [Buffer.from("0"), Buffer.from("1"), Buffer.from("x\n")]);
        writeFileSync(path, content);
        const { executors, commands } = expectSound(`${name} ${how}`);
        expect([executors, commands], `trial ${trial}: ${name} ${how}`).toEqual([2, 2]);
      }
    },
  );

  it("with wrong ids is mended and named, strictly too, and the agent starts", async () => {
    await writeAll();
    const path = paths.meta.taskInfo(keyOf("one"), "one");
    const wrong = { value: "somebody else" };
    const cases = [{ frameworkId: wrong }, { agentId: wrong }, { executorId: wrong }];
    for (const ids of cases) {
      const right = { taskId: { value: "one" }, agentId: { value: "A" }, frameworkId: { value: "framework" } };
      const task = create(TaskSchema, { name: "one", ...right, ...ids, state: TaskState.TASK_STAGING });
      writeFileSync(path, encodeRecord(encode(TaskSchema, task)));
      lines.splice(0);
      expect(readsStrictly(path, JSON.stringify(ids))).toBe(true);
      expectSound(JSON.stringify(ids));
      expect(lines[0]).toMatch(/^Mending the damaged checkpoint .*task\.info: its \w+ is 'somebody else', not '\w+'$/);
      expect(lines[0]).toContain(path);
    }
  });

  it("in task.info is read from task.launch instead, strictly too, and named: 150 trials", async () => {
    await writeAll();
    const path = paths.meta.taskInfo(keyOf("one"), "one");
    const whole = readFileSync(path);
    const of = (what: string) => {
      const executors = readState({ paths, log, strict: true }).agent?.frameworks[0]?.executors ?? [];
      const [found] = executors.find(({ id }) => id === "one")?.run?.tasks ?? [];
      expect(found?.updates, what).toHaveLength(1);
      return found?.task;
    };
    const before = of("undamaged");
    const random = seeded(77);
    let remade = 0;
    for (let trial = 0; trial < 150; trial++) {
      const { how, content } = damaged(whole, random, [readFileSync(paths.meta.taskInfo(keyOf("two"), "two"))]);
      writeFileSync(path, content);
      lines.splice(0);
      const task = of(`trial ${trial}: ${how}`);
      const problem = lines.find((line) => line.includes("task.launch says"));
      if (problem === undefined) continue;
      remade++;
      expect(problem, how).toContain(`Mending the damaged checkpoint ${path}: `);
      expect(task?.resources, how).toEqual(before?.resources);
      if (problem.endsWith("says the same")) expect(task, how).toEqual({ ...before, user: "u" });
    }
    expect(remade).toBeGreaterThan(75);
  });

  it.each([
    ["pids/forked.pid", "12x", "'12x' is no pid"],
    ["pids/forked.pid", "0", "'0' is no pid"],
    ["pids/forked.pid", "x12", "'x12' is no pid"],
  ])("%s with '%s' is named", async (name, text, why) => {
    await writeAll();
    const path = filesBelow(folder).find((file) => file.endsWith(name)) ?? "";
    writeFileSync(path, text);
    expect(readsStrictly(path, text)).toBe(false);
    readState({ paths, log, strict: false });
    expect(lines.join()).toContain(why);
  });

  it("of another framework is named, and its tasks are not believed to be this one's", async () => {
    await writeAll();
    const path = paths.meta.frameworkInfo("A", "framework");
    const info = create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "other" }, checkpoint: true });
    writeFileSync(path, encodeRecord(encode(FrameworkInfoSchema, info)));
    readState({ paths, log, strict: false });
    expect(lines.join()).toContain(`${path}: it is about 'other', not 'framework'`);
  });

  it("of a task.info that is not there is a launch that was taken back", async () => {
    await writeAll();
    rmSync(paths.meta.taskInfo(keyOf("one"), "one"));
    const executors = readState({ paths, log, strict: true }).agent?.frameworks[0]?.executors ?? [];
    expect(executors.find(({ id }) => id === "one")?.run?.tasks).toEqual([]);
  });

  it("is not what a launch leaves that was ended amid its files, each empty; with a task, an empty one is named", async () => {
    await writeAll();
    const path = paths.meta.generatedForCommandTask("A", "framework", "one");
    writeFileSync(path, "");
    readState({ paths, log, strict: true });
    expect(lines.join()).toContain(`Mending the damaged checkpoint ${path}: `);
    lines.splice(0);
    rmSync(paths.meta.taskInfo(keyOf("one"), "one"));
    for (const name of [
      "",
      paths.meta.taskLaunch(keyOf("one"), "one"),
      paths.meta.executorInfo("A", "framework", "one"),
    ]) {
      if (name !== "") writeFileSync(name, "");
      readState({ paths, log, strict: true });
    }
    expect(lines.filter((line) => !line.startsWith("Skipping the empty checkpoint"))).toEqual([]);
  });

  it("says what it is of a custom executor, whatever one character says", async () => {
    await writeAll();
    const path = paths.meta.taskLaunch(keyOf("one"), "one");
    const executor = { executorId: { value: "one" }, command };
    const ids = { taskId: { value: "one" }, agentId: { value: "A" } };
    const task = create(TaskInfoSchema, { name: "one", ...ids, executor });
    const framework = create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "framework" } });
    const launch = create(RunTaskMessageSchema, { framework, task });
    writeFileSync(path, encodeRecord(encode(RunTaskMessageSchema, launch)));
    const { agent } = readState({ paths, log, strict: true });
    expect(agent?.frameworks[0]?.executors[0]?.generatedForCommandTask).toBe(false);
    expect(lines.join()).toContain(paths.meta.generatedForCommandTask("A", "framework", "one"));
  });
});
