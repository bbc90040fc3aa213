/**
 * How long the event loop stands at most under each load that once held it up. Aim: 100 ms. On a busy machine a gap may
 * be the machine's: the second figure says how long this process really worked between two looks at the clock.
 *
 *   node bench/loop-delay.ts [gc] [pings] [browse] [state] [answers] [bodies] [processes] [launches]
 *
 * Who sends the load runs in a thread of its own; processes and launches are an agent's in a process of its own, which says
 * itself for how long its loop stood (bench/loop-watch.ts); beside it the worst answer to GET /health meanwhile.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { GarbageCollector } from "../src/agent/gc/collector.ts";
import { AttachedFiles } from "../src/agent/http/files/attached.ts";
import { createAgentHttp } from "../src/agent/http/server.ts";
import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/log.ts";
import { Process } from "../src/libprocess/process.ts";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { agentView } from "../test/support/agent-view.ts";
import { commandTask } from "../test/support/scheduler.ts";
import { noExecutors, noPage } from "../test/support/served-pages.ts";
import type { Figure } from "./figures.ts";
import { everyLongAnswer } from "./loop-answers.ts";
import type { LoopStandstill } from "./loop-watch.ts";
import { type OwnNode, startNode } from "./node.ts";
import { report } from "./report.ts";

const AIM = 100;
const TICK = 2;
const PROCESSES = 12_000;

interface Standstill {
  /** Milliseconds: the longest gap beyond the tick, and the most that this thread was on a CPU between two ticks. */
  readonly worst: number;
  readonly worked: number;
  /** Milliseconds: the worst answer to GET /health, of an agent in a process of its own. */
  readonly health?: number;
  /** Milliseconds: of an agent in a process of its own, whose `worked` has the time in calls and for the collector's threads, too. */
  readonly onProcessor?: number;
}

/** Runs `load` and looks at the clock every two milliseconds meanwhile. */
async function standstillOf(load: () => Promise<void>): Promise<Standstill> {
  const cpu = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [last, lastCpu] = [performance.now(), cpu()];
  let worst: Standstill = { worst: 0, worked: 0 };
  const timer = setInterval(() => {
    const [now, nowCpu] = [performance.now(), cpu()];
    worst = { worst: Math.max(worst.worst, now - last - TICK), worked: Math.max(worst.worked, nowCpu - lastCpu) };
    [last, lastCpu] = [now, nowCpu];
  }, TICK);
  try {
    await load();
  } finally {
    clearInterval(timer);
  }
  return worst;
}

/** Runs a script in a thread of its own, with `port`; resolves when it ends. */
function elsewhere(port: number, script: string): Promise<void> {
  const worker = new Worker(`const { port } = require("node:worker_threads").workerData;\n${script}`, {
    eval: true,
    workerData: { port },
  });
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}

/** 20,000 sandboxes collected, attached under their three names. */
async function gc(folder: string): Promise<Standstill> {
  const files = new AttachedFiles();
  const collector = new GarbageCollector({
    ...{ clock: systemClock, log: silentLogger, workDir: folder, delay: 1000, headroom: 0.1, interval: 3_600_000 },
    removed: (path) => files.detachBelow(path),
  });
  for (let index = 0; index < 20_000; index++) {
    const executor = `${folder}/slaves/S/frameworks/F/executors/e${index}`;
    const sandbox = `${executor}/runs/c${index}`;
    mkdirSync(sandbox, { recursive: true });
    writeFileSync(`${sandbox}/stdout`, "x");
    files.attachRun(sandbox, { kind: "sandbox", user: "nobody" }, { isLatest: true });
    collector.schedule(sandbox, 0);
    collector.schedule(executor, 0);
  }
  const found = await standstillOf(() => collector.collect());
  await collector.close();
  return found;
}

/** 200,000 pings of somebody who says that he is a master, pipelined. */
async function pings(): Promise<Standstill> {
  const ip = "127.0.0.1";
  const where = { bind: { ip, port: 0 }, advertise: { ip } };
  const agent = await Process.start({ id: "slave(1)", ...where, log: silentLogger, clock: systemClock });
  let count = 0;
  agent.on("PING", () => count++);
  const script = `
    const socket = require("node:net").connect(port, "127.0.0.1");
    const one = "POST /slave(1)/PING HTTP/1.1\\r\\nUser-Agent: libprocess/master@127.0.0.1:1\\r\\nConnection: Keep-Alive\\r\\nContent-Length: 0\\r\\n\\r\\n";
    const many = one.repeat(1000);
    let left = 200;
    socket.on("data", () => undefined).on("error", () => undefined);
    const send = () => { while (left-- > 0) if (!socket.write(many)) return void socket.once("drain", send); socket.end(); };
    send();
  `;
  const found = await standstillOf(() => elsewhere(agent.self.port, script));
  if (count < 100_000) throw new Error(`only ${count} pings arrived`);
  await agent.close();
  return found;
}

async function served<T>(
  files: AttachedFiles,
  use: (port: number) => Promise<T>,
  view = agentView({ tasks: 1 }),
): Promise<T> {
  const http = createAgentHttp({
    ...{ executors: noExecutors, ui: noPage, view, files },
    ...{ log: silentLogger, clock: systemClock, rate: "none" },
  });
  const server = createServer(http.handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
    http.close();
  }
}

/** Shows a folder of 19,900 entries as /sandbox. */
function attachMany(files: AttachedFiles, folder: string): AttachedFiles {
  const sandbox = join(folder, "sandbox");
  mkdirSync(sandbox);
  for (let index = 0; index < 19_900; index++) writeFileSync(join(sandbox, `file-${index}`), "");
  files.attach(sandbox, "/sandbox");
  return files;
}

/** A folder of 19,900 entries, browsed 40 times at once. */
function browse(folder: string): Promise<Standstill> {
  const script = `
    const get = () => fetch("http://127.0.0.1:" + port + "/files/browse?path=/sandbox").then((answer) => answer.text());
    Promise.all(Array.from({ length: 40 }, get));
  `;
  return served(attachMany(new AttachedFiles(), folder), (port) => standstillOf(() => elsewhere(port, script)));
}

/** Every page and call of 5,000 tasks that run and 5,000 that have ended, each twice in turn and then five times at once. */
function answers(folder: string): Promise<Standstill> {
  const files = attachMany(new AttachedFiles(), folder);
  for (let index = 0; index < 10_000; index++) {
    const directory = `/work/slaves/S/frameworks/F/executors/e${index}/runs/c${index}`;
    files.attachRun(directory, { kind: "sandbox", user: "nobody" }, { isLatest: true });
  }
  const script = `
    const get = async ({ path, body, headers }) => {
      const answer = await fetch("http://127.0.0.1:" + port + path, body === undefined ? { headers } : { method: "POST", body, headers });
      if (!answer.ok) throw new Error(path + " answered " + answer.status);
      await answer.arrayBuffer();
    };
    (async () => {
      for (const asked of ${JSON.stringify(everyLongAnswer)}) {
        for (let count = 0; count < 2; count++) await get(asked);
        await Promise.all(Array.from({ length: 5 }, () => get(asked)));
      }
    })();
  `;
  const view = agentView({ tasks: 5000, completed: 5000, measured: 5000 });
  return served(files, (port) => standstillOf(() => elsewhere(port, script)), view);
}

/** /state of 5,000 tasks, 20 times one after the other and then 10 at once. */
function state(): Promise<Standstill> {
  const script = `
    const get = () => fetch("http://127.0.0.1:" + port + "/state").then((answer) => answer.arrayBuffer());
    (async () => {
      for (let count = 0; count < 20; count++) await get();
      await Promise.all(Array.from({ length: 10 }, get));
    })();
  `;
  return served(new AttachedFiles(), (port) => standstillOf(() => elsewhere(port, script)), agentView({ tasks: 5000 }));
}

/** Bodies of 16 MB to the operator API: JSON that nests, repeats, and is none. */
function bodies(): Promise<Standstill> {
  const script = `
    const size = 16 * 1024 * 1024 - 100;
    const all = ["[".repeat(size), '{"type":"GET_STATE","x":"' + "x".repeat(size) + '"}', '{"a":[' + "{},".repeat(size / 3) + "{}]}", " ".repeat(size)];
    (async () => {
      for (const body of [...all, ...all])
        await fetch("http://127.0.0.1:" + port + "/api/v1", { method: "POST", body, headers: { "content-type": "application/json" } })
          .then((answer) => answer.text(), () => undefined);
    })();
  `;
  return served(new AttachedFiles(), (port) => standstillOf(() => elsewhere(port, script)));
}

/** A load on a real agent in a process of its own. */
async function ownStandstill(folder: string, load: (node: OwnNode) => Promise<void>): Promise<Standstill> {
  const to = join(folder, "standstill.json");
  const watch = `${pathToFileURL(join(import.meta.dirname, "loop-watch.ts"))}?to=${encodeURIComponent(to)}`;
  const node = await startNode(undefined, [], [`--import=${watch}`]);
  let [worst, isOver] = [0, false];
  const health = async (): Promise<void> => {
    const begin = performance.now();
    await get(node.agent.port, "/health");
    worst = Math.max(worst, performance.now() - begin);
  };
  try {
    process.kill(node.pid, "SIGUSR2");
    const asking = (async () => {
      while (!isOver) {
        await health();
        await new Promise((resolve) => setTimeout(resolve, TICK));
      }
    })();
    await load(node);
    isOver = true;
    await asking;
    const { gap, held, worked } = JSON.parse(readFileSync(to, "utf8")) as LoopStandstill;
    return { worst: gap, worked: held, onProcessor: worked, health: worst };
  } finally {
    isOver = true;
    await node.close();
  }
}

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const ask = request({ host: "127.0.0.1", port, path }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      answer.on("end", () => resolve(body));
    });
    ask.on("error", reject);
    ask.end();
  });
}

/** 1,000 tasks. */
const launches = (folder: string): Promise<Standstill> =>
  ownStandstill(folder, async ({ scheduler }) => {
    const ids = Array.from({ length: 1000 }, (_, index) => `sleep-${index}`);
    await scheduler.launch(ids.map((id) => commandTask(id, "exec sleep 1000")));
    const running = (): number =>
      new Set(scheduler.updates.flatMap(({ state, taskId }) => (state === TaskState.TASK_RUNNING ? taskId?.value : [])))
        .size;
    await scheduler.until("all RUNNING", () => running() === ids.length, 120_000);
  });

/** One task of 12,000 processes (some gigabytes of the kernel's memory), looked at three times and killed. */
const processes = (folder: string): Promise<Standstill> =>
  ownStandstill(folder, async ({ agent, scheduler }) => {
    const script = `for (1..${PROCESSES}) { fork or do { sleep 1000; exit } } sleep 1000`;
    await scheduler.launch([commandTask("many", `exec perl -e '${script}'`)]);
    await scheduler.until("RUNNING", () => scheduler.statesOf("many").includes(TaskState.TASK_RUNNING), 60_000);
    for (let enough = 0; enough < 3; ) {
      const [container] = JSON.parse(await get(agent.port, "/containers")) as { statistics?: { processes?: number } }[];
      if ((container?.statistics?.processes ?? 0) > PROCESSES) enough++;
    }
    await scheduler.kill("many");
    await scheduler.until("the end", () => scheduler.terminalOf("many"), 120_000);
  });

const loads: Readonly<Record<string, readonly [string, (folder: string) => Promise<Standstill>]>> = {
  gc: ["20,000 sandboxes collected", gc],
  pings: ["200,000 pings", pings],
  browse: ["19,900 entries browsed 40 times", browse],
  state: ["/state of 5,000 tasks", state],
  answers: ["every answer of 10,000 tasks", answers],
  bodies: ["bodies of 16 MB", bodies],
  processes: ["12,000 processes", processes],
  launches: ["1,000 launches", launches],
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(loads);
for (const name of wanted) {
  const load = loads[name];
  if (load === undefined) throw new Error(`no load '${name}'; there are: ${Object.keys(loads).join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "loop-delay-"));
  try {
    const { worst, worked, health, onProcessor } = await load[1](folder);
    const figure: Figure = {
      ...{ id: `loop-${name}`, what: `standstill: ${load[0]}`, unit: "ms" },
      value: worked,
      goal: { atMost: AIM },
      bound: "the longest piece of work in one turn",
    };
    const asked: Figure = {
      ...{
        id: `loop-${name}-health`,
        what: "the worst /health meanwhile, asked by the master's own process",
        unit: "ms",
      },
      value: health ?? 0,
      bound: "who else is on the processors: what is launched or ends, and who asks",
    };
    report(health === undefined ? [figure] : [figure, asked]);
    const own = onProcessor === undefined ? "" : `; ${onProcessor.toFixed(0)} ms on a processor`;
    console.log(`${"".padEnd(52)} worst gap ${worst.toFixed(0)} ms, others' work included${own}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
