/**
 * How long /state takes with 1,000 running tasks, as text and over HTTP. Aim: under 50 ms.
 *
 *   npm run bench state
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AttachedFiles } from "../src/agent/http/files/attached.ts";
import { createAgentHttp } from "../src/agent/http/server.ts";
import { stateText } from "../src/agent/http/state.ts";
import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/log.ts";
import { agentView } from "../test/support/agent-view.ts";
import { noExecutors, noPage } from "../test/support/served-pages.ts";

const tasks = 1000;
const rounds = 20;
const view = agentView({ tasks });

async function measure(name: string, work: () => unknown): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  const [first = 0] = times;
  const sorted = times.slice(1).sort((left, right) => left - right);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const slowest = sorted.at(-1) ?? 0;
  console.log(
    `${name}: first ${first.toFixed(1)} ms, then median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms`,
  );
}

console.log(`${tasks} tasks, ${((await stateText(view)).length / 1024).toFixed(0)} KiB of JSON`);
await measure("text", () => stateText(view));

const http = createAgentHttp({
  ...{ executors: noExecutors, ui: noPage },
  view,
  files: new AttachedFiles(),
  log: silentLogger,
  clock: systemClock,
});
const server = createServer(http.handler);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/state`;
const fetchState = async (encoding: string): Promise<void> => {
  const answer = await fetch(url, { headers: { "accept-encoding": encoding } });
  if (!answer.ok) throw new Error(`/state answered ${answer.status}`);
  await answer.arrayBuffer();
};
await measure("over HTTP", () => fetchState("identity"));
await measure("over HTTP, compressed", () => fetchState("gzip"));
server.closeAllConnections();
server.close();
http.close();
