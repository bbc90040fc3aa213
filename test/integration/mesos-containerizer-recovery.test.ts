import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MesosContainerizer } from "../../src/agent/containerizer/mesos/containerizer.ts";
import type { CheckpointedContainer } from "../../src/agent/model/container.ts";
import { CommandInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";

let folder: string;
const open: MesosContainerizer[] = [];
const hosts: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "containerizer-recovery-"));
});
afterEach(async () => {
  for (const host of hosts.splice(0)) host.kill("SIGKILL");
  for (const containerizer of open.splice(0)) {
    for (const { containerId } of containerizer.running()) {
      await containerizer.destroy(containerId);
      await containerizer.wait(containerId);
    }
    await containerizer.close();
  }
  rmSync(folder, { recursive: true });
});

interface Launched {
  readonly id: string;
  readonly pid: number;
}

/** Starts a host process with these tasks; resolves when all run (or, with `count`, when so many do). */
async function startHost(commands: readonly string[], count = commands.length) {
  const script = join(import.meta.dirname, "../support/containerizer-host.ts");
  const child = spawn(process.execPath, [script, folder, ...commands], { stdio: ["ignore", "pipe", "inherit"] });
  hosts.push(child);
  const launched: Launched[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== "ready") launched.push(JSON.parse(line) as Launched);
    if (launched.length >= count) break;
  }
  return { child, launched };
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}

const checkpointed = (id: string): CheckpointedContainer => {
  const { environment: _, ...spec } = containerSpec(folder, id, { value: "" });
  return { ...spec, pid: undefined };
};

async function recovered(ids: readonly string[], owner?: string) {
  const containerizer = openContainerizer(folder, owner === undefined ? {} : { owner });
  open.push(containerizer);
  return { containerizer, found: await containerizer.recover(ids.map(checkpointed)) };
}

const parentOf = (pid: number): number => {
  const match = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1]);
};
const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};
const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

it("finds every task's true end after agent and launcher were killed while 50 run", async () => {
  // A third ends while nobody looks, a third after the new agent is there, a third by signal.
  const commands = Array.from({ length: 50 }, (_, index) => {
    if (index % 3 === 0) return `while [ ! -e ${folder}/first ]; do sleep 0.02; done; exit ${index}`;
    if (index % 3 === 1) return `while [ ! -e ${folder}/second ]; do sleep 0.02; done; exit ${index}`;
    return `while [ ! -e ${folder}/first ]; do sleep 0.02; done; kill -9 $$`;
  });
  const { child, launched } = await startHost(commands);
  const byCommand = launched.map(({ id, pid }) => ({ id, pid, text: commandOf(pid) }));
  const launcher = parentOf(parentOf(launched[0]?.pid ?? 0));
  expect(commandOf(launcher)).toContain("mesos-launcher");
  process.kill(launcher, "SIGKILL");
  await killed(child);
  writeFileSync(join(folder, "first"), "");
  await until(() =>
    readdirSync(join(folder, "runtime/agents")).some((owner) => {
      return readdirSync(join(folder, "runtime/agents", owner, "ended")).length >= 33;
    }),
  );
  const { containerizer, found } = await recovered(launched.map(({ id }) => id));
  expect(found.size).toBe(50);
  writeFileSync(join(folder, "second"), "");
  for (const { id, text } of byCommand) {
    const expected = text.includes("kill -9") ? 9 : Number(/exit (\d+)/.exec(text)?.[1]) << 8;
    expect(await containerizer.wait(id)).toEqual({ status: expected });
  }
});

it("starts every task once when the launcher is killed again and again", async () => {
  const containerizer = openContainerizer(folder);
  open.push(containerizer);
  const specs = Array.from({ length: 120 }, () =>
    containerSpec(folder, randomUUID(), { value: "echo started >> starts; sleep 100" }),
  );
  let launchers = 0;
  const launches = specs.map(async (spec, index) => {
    const { pid } = await containerizer.launch(spec, new AbortController().signal);
    const launcher = parentOf(parentOf(Number(pid)));
    if (index % 30 === 5 && commandOf(launcher).includes("mesos-launcher")) {
      launchers++;
      process.kill(launcher, "SIGKILL");
    }
  });
  await Promise.all(launches);
  expect(launchers).toBeGreaterThan(0);
  for (const { sandbox } of specs) {
    // The shell makes the file before it writes.
    await until(() => existsSync(join(sandbox, "starts")) && readFileSync(join(sandbox, "starts"), "utf8") !== "");
    expect(readFileSync(join(sandbox, "starts"), "utf8")).toBe("started\n");
  }
});

it("does not let a long command inside hold up launches after the launcher was killed", async () => {
  const containerizer = openContainerizer(folder);
  open.push(containerizer);
  const spec = containerSpec(folder, randomUUID(), { value: "sleep 100" });
  const { pid } = await containerizer.launch(spec, new AbortController().signal);
  const command = create(CommandInfoSchema, {
    value: "echo running > running; while [ ! -e go ]; do sleep 0.02; done; exit 7",
    shell: true,
  });
  const result = containerizer.run(spec.containerId, command, 60_000);
  await until(() => existsSync(join(spec.sandbox, "running")));
  process.kill(parentOf(parentOf(Number(pid))), "SIGKILL");
  const next = containerSpec(folder, randomUUID(), { value: "exit 4" });
  await containerizer.launch(next, new AbortController().signal);
  expect(await containerizer.wait(next.containerId)).toEqual({ status: 4 << 8 });
  writeFileSync(join(spec.sandbox, "go"), "");
  expect(await result).toEqual({ exitCode: 7 });
});

it("loses nothing that was being started when the agent was killed", async () => {
  const { child, launched } = await startHost(
    Array.from({ length: 80 }, () => "sleep 100"),
    10,
  );
  await killed(child);
  const before = join(folder, "sandboxes");
  const ids = readdirSync(before);
  expect(ids.length).toBeGreaterThanOrEqual(launched.length);
  const { containerizer, found } = await recovered(ids);
  // What was not started then, is not started later either.
  const started = ids.filter((id) => existsSync(join(folder, "runtime/containers", id, "processes")));
  expect([...found].toSorted()).toEqual(started.toSorted());
  expect(started.length).toBeGreaterThanOrEqual(10);
  for (const id of found) expect((await containerizer.status(id)).executorPid).toBeGreaterThan(1);
});

it("goes on with a kill that the killed agent began", async () => {
  const { child, launched } = await startHost([`trap '' TERM; touch ${folder}/deaf; while :; do sleep 0.1; done`]);
  await until(() => existsSync(join(folder, "deaf")));
  const { id } = launched[0] as Launched;
  await killed(child);
  const first = await recovered([id]);
  await first.containerizer.stop(id, 300);
  await first.containerizer.close();
  open.splice(0);
  const { containerizer } = await recovered([id]);
  expect((await containerizer.wait(id)).status).toBe(9);
});

it("ends orphans, and touches nothing of another agent", async () => {
  const { child, launched } = await startHost(["sleep 100", "sleep 100"]);
  const [mine, orphan] = launched as [Launched, Launched];
  await killed(child);
  const other = await recovered([mine.id], "another agent");
  expect(other.found.size).toBe(0);
  expect(alive(mine.pid) && alive(orphan.pid)).toBe(true);
  const { found, containerizer } = await recovered([mine.id]);
  expect([...found]).toEqual([mine.id]);
  await until(() => !alive(orphan.pid) && !existsSync(join(folder, "runtime/containers", orphan.id)));
  expect(alive(mine.pid)).toBe(true);
  // The environment of a recovered container is the kernel's copy.
  const command = create(CommandInfoSchema, { value: 'test "$SECRET" = "of the host"', shell: true });
  expect(await containerizer.run(mine.id, command, 5000)).toEqual({ exitCode: 0 });
});

it("believes no process id of another boot", async () => {
  const { child, launched } = await startHost(["sleep 100"]);
  const { id, pid } = launched[0] as Launched;
  await killed(child);
  const file = join(folder, "runtime/containers", id, "processes");
  const text = readFileSync(file, "utf8");
  const fields = text.trim().split(" ");
  writeFileSync(file, `${fields.with(4, "another-boot").join(" ")}\n`);
  const { containerizer } = await recovered([id]);
  expect(await containerizer.wait(id)).toEqual({ status: undefined });
  expect(alive(pid)).toBe(true);
  process.kill(pid, "SIGKILL");
});

it("says so when the supervisor was killed, and ends the task", async () => {
  const containerizer = openContainerizer(folder);
  open.push(containerizer);
  const spec = containerSpec(folder, randomUUID(), { value: "sleep 100 & sleep 100" });
  const { pid } = await containerizer.launch(spec, new AbortController().signal);
  const shim = parentOf(Number(pid));
  process.kill(shim, "SIGKILL");
  expect(await containerizer.wait(spec.containerId)).toEqual({
    status: undefined,
    message: `Failed to get exit status for Command: its supervisor (pid ${shim}) was killed`,
  });
  await until(() => !alive(Number(pid)));
});

it("adopts an executor that a C++ agent started, by its sandbox", async () => {
  const id = randomUUID();
  const { environment: _, ...spec } = containerSpec(folder, id, { value: "" });
  const env = { MESOS_DIRECTORY: spec.sandbox };
  const executor = spawn("sleep", ["100"], { detached: true, stdio: "ignore", env });
  const stranger = spawn("sleep", ["100"], { detached: true, stdio: "ignore", env: {} });
  hosts.push(executor, stranger);
  const containerizer = openContainerizer(folder);
  open.push(containerizer);
  const other = randomUUID();
  const found = await containerizer.recover([
    { ...spec, pid: executor.pid },
    { ...spec, containerId: other, pid: stranger.pid },
  ]);
  expect([...found]).toEqual([id]);
  await containerizer.destroy(id);
  expect((await containerizer.wait(id)).status).toBeUndefined();
  expect(stranger.exitCode).toBeNull();
});
