/**
 * How long /state takes with running tasks, as text and over HTTP, and for how long it holds the event loop at most.
 *
 *   npm run bench state [TASKS …, default 1000 5000]
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AttachedFiles } from "../src/agent/http/files/attached.ts";
import { createAgentHttp } from "../src/agent/http/server.ts";
import { stateBytes, stateText } from "../src/agent/http/state.ts";
import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/log.ts";
import { agentView } from "../test/support/agent-view.ts";
import { noExecutors, noPage } from "../test/support/served-pages.ts";
import { medianOf } from "./processes.ts";
import { report } from "./report.ts";

const rounds = 20;

/** Milliseconds: the median, and the longest that one turn of the event loop was worked in meanwhile. */
async function measure(work: () => unknown): Promise<{ median: number; turn: number }> {
  const times: number[] = [];
  let [last, turn] = [process.threadCpuUsage(), 0];
  let isOver = false;
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last);
    turn = Math.max(turn, (user + system) / 1000);
    last = process.threadCpuUsage();
    if (!isOver) setImmediate(look);
  };
  await work();
  setImmediate(() => {
    last = process.threadCpuUsage();
    look();
  });
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  isOver = true;
  return { median: medianOf(times), turn };
}

async function measureTasks(tasks: number): Promise<void> {
  const view = agentView({ tasks });
  const parsed: unknown = JSON.parse(await stateText(view));
  const plain = await measure(() => JSON.stringify(parsed));
  const text = await measure(() => stateBytes(view));
  const http = createAgentHttp({
    ...{ executors: noExecutors, ui: noPage },
    ...{ view, files: new AttachedFiles(), log: silentLogger, clock: systemClock },
  });
  const server = createServer(http.handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/state`;
  const served = await measure(async () => {
    const answer = await fetch(url, { headers: { "accept-encoding": "identity" } });
    if (!answer.ok) throw new Error(`/state answered ${answer.status}`);
    await answer.arrayBuffer();
  });
  server.closeAllConnections();
  server.close();
  http.close();
  const many = tasks.toLocaleString("en");
  const floor = { what: "JSON.stringify", value: plain.median };
  report([
    {
      ...{ id: `state-${tasks}`, what: `/state of ${many} tasks`, value: text.median, unit: "ms", floor },
      goal: { atMost: tasks / 50 },
      bound: "the JSON text of each task, made anew",
    },
    {
      ...{
        id: `state-served-${tasks}`,
        what: "the same over HTTP, client included",
        value: served.median,
        unit: "ms",
        floor,
      },
      bound: "the same, and two copies through the kernel",
    },
    {
      ...{ id: `state-turn-${tasks}`, what: "the longest hold of the loop for it", value: text.turn, unit: "ms" },
      goal: { atMost: 20 },
      bound: "the longest piece of work in one turn",
    },
  ]);
}

for (const tasks of process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 5000])
  await measureTasks(tasks);
