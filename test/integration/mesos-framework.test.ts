import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { ScriptedAgent } from "../support/scripted-agent.ts";

// Somebody else's scheduler: the package is written for real masters and knows nothing of ours.
const require = createRequire(import.meta.url);
const TASKS = 20;

interface Emitter {
  on(event: string, listener: (value: never) => void): void;
  subscribe(): void;
}

const RESOURCES = "cpus:4;mem:4096;disk:1000;ports:[31000-31099]";

let folder: string;
let master: LocalMaster;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mesos-framework-"));
  master = new LocalMaster({ port: 0 });
  await master.start();
});

afterEach(async () => {
  await master.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The scheduler, which begins at once; `finished` resolves when all of its tasks have. */
function twentyTasks(): { readonly scheduler: Emitter; readonly finished: Promise<void> } {
  const { Scheduler, Mesos: mesosMessages } = require("mesos-framework");
  const mesos = mesosMessages.getMesos();
  const scheduler: Emitter = new Scheduler({
    masterUrl: "127.0.0.1",
    port: new URL(master.url).port,
    useZk: false,
    frameworkName: "twenty",
    frameworkFailoverTimeout: 0,
    logging: { path: folder, fileName: "log", level: "error" },
    tasks: {
      job: {
        priority: 1,
        instances: TASKS,
        commandInfo: new mesos.CommandInfo({ value: "true", shell: true }),
        resources: { cpus: 0.1, mem: 32, ports: 0, disk: 0 },
      },
    },
  });
  const done = new Set<string>();
  const finished = new Promise<void>((resolve, reject) => {
    scheduler.on("error", (error: Error) => reject(new Error(JSON.stringify(error) + String(error.message))));
    scheduler.on("ready", () => scheduler.subscribe());
    scheduler.on("update", ({ status }: { status: { state: string; task_id: { value: string } } }) => {
      if (status.state === "TASK_FINISHED") done.add(status.task_id.value);
      if (done.size === TASKS) resolve();
    });
  });
  return { scheduler, finished };
}

it("brings 20 tasks of the npm package mesos-framework to TASK_FINISHED, by the protocol alone", async () => {
  const agent = await ScriptedAgent.start({ master: master.address, resources: RESOURCES });
  await agent.register();
  await twentyTasks().finished;
  await agent.until(() => agent.acknowledged.length === 2 * TASKS);
  const state = (await (await fetch(`${master.url}/state`)).json()) as {
    frameworks: { completed_tasks: unknown[]; tasks: unknown[] }[];
  };
  expect(state.frameworks[0]?.completed_tasks).toHaveLength(TASKS);
  expect(state.frameworks[0]?.tasks).toHaveLength(0);
  await agent.close();
});

it("brings them there on our agent", async () => {
  const flags = [`--resources=${RESOURCES}`];
  const agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  agent.start();
  try {
    const { finished } = twentyTasks();
    await finished;
    const { tasks } = (await (await fetch(`${master.url}/tasks`)).json()) as { tasks: { state: string }[] };
    expect(tasks.map(({ state }) => state)).toEqual(Array.from({ length: TASKS }, () => "TASK_FINISHED"));
  } finally {
    await agent.destroy();
  }
});
