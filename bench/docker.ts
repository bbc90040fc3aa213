/**
 * What the agent adds to Docker: 50 containers started by the Docker containerizer and 50 by plain `docker run -d`, at the
 * same dockerd (one of its own), in turns. Prints milliseconds a container and the ratio of the medians, and the same on
 * processors, which does not depend on what else the machine does.
 *
 *   npm run bench docker -- [--containers 50] [--rounds 5] [--at-once 1]
 *
 * The daemon's files lie below TMPDIR: on a disk that others use, /dev/shm keeps their writes out of the figures.
 */
import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { dockerdMissing, TestDockerd } from "../test/support/dockerd.ts";
import { newWorkDir, openContainerizer } from "../test/support/dockerd-containerizer.ts";
import { dockerSpec } from "../test/support/dockerd-tasks.ts";
import { cpuOf, medianOf, processesNaming, sumOf, timesOf } from "./processes.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    containers: { type: "string", default: "50" },
    rounds: { type: "string", default: "5" },
    "at-once": { type: "string", default: "1" },
  },
});
const atOnce = Number(values["at-once"]);
/** Containers of each kind that are not counted. */
const WARM_UP = 20;

const missing = dockerdMissing();
if (missing !== undefined) {
  console.error(`bench/docker: ${missing}`);
  process.exit(1);
}

/** Milliseconds a container: on the clock, and on processors for whoever asks for it and for the daemon's side. */
interface Price {
  readonly clock: number;
  readonly client: number;
  readonly daemon: number;
}

type Start = (index: number) => Promise<unknown>;

const dockerd = await TestDockerd.start();
const workDir = await newWorkDir();

/** Seconds on processors so far: dockerd, containerd and a shim for each container, with what they started. */
function daemonTime(): number {
  return sumOf(processesNaming(dockerd.folder).map((pid) => timesOf(pid).own + timesOf(pid).ended));
}

/** What `count` starts cost, `atOnce` of them at the same time; `clientTime` says seconds on processors. */
async function priced(count: number, clientTime: () => number, start: Start): Promise<Price> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await start(next++);
  };
  const [client, daemon, begin] = [clientTime(), daemonTime(), performance.now()];
  await Promise.all(Array.from({ length: atOnce }, worker));
  const clock = (performance.now() - begin) / count;
  const each = (now: number, before: number): number => ((now - before) * 1000) / count;
  return { clock, client: each(clientTime(), client), daemon: each(daemonTime(), daemon) };
}

/** A few at a time: dockerd 20.10 can lock itself up for ever when many containers leave a network at once. */
async function clear(): Promise<void> {
  const ids = (await dockerd.docker("ps", "-aq")).split("\n").filter((id) => id !== "");
  while (ids.length > 0) await dockerd.docker("rm", "-f", ...ids.splice(0, 4));
}

async function ours(count: number): Promise<Price> {
  const specs = await Promise.all(Array.from({ length: count }, () => dockerSpec(workDir, "sleep 1000")));
  const containerizer = await openContainerizer(dockerd, workDir);
  const signal = new AbortController().signal;
  const price = await priced(
    count,
    () => cpuOf(process.pid),
    async (index) => {
      const spec = specs[index];
      if (spec !== undefined) await containerizer.launch(spec, signal);
    },
  );
  await containerizer.close();
  await clear();
  return price;
}

async function plain(count: number): Promise<Price> {
  const limits = ["--cpu-shares", "102", "--memory", "32m"];
  const words = ["--net", "host", "--entrypoint", "/bin/sh", "box:1", "-c", "sleep 1000"];
  const sandbox = `${workDir}:/mnt/mesos/sandbox`;
  // The commands have ended by then; what it costs to start them is not theirs.
  const price = await priced(
    count,
    () => timesOf(process.pid).ended,
    () => dockerd.docker("run", "-d", ...limits, "-v", sandbox, ...words),
  );
  await clear();
  return price;
}

const text = ({ clock, client, daemon }: Price): string =>
  `${clock.toFixed(1)} ms (on processors ${client.toFixed(1)}, the daemon ${daemon.toFixed(1)})`;

try {
  const count = Number(values.containers);
  // The first containers of a daemon cost up to half as much again, whoever asks for them.
  for (const first of [ours, plain]) await first(Math.min(count, WARM_UP));
  const prices: { ours: Price; plain: Price }[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const before = round % 2 === 1 ? await plain(count) : undefined;
    const price = { ours: await ours(count), plain: before ?? (await plain(count)) };
    prices.push(price);
    console.log(`round ${round + 1}: ours ${text(price.ours)}, docker run -d ${text(price.plain)} a container`);
  }
  const middle = (who: "ours" | "plain", of: (price: Price) => number): number =>
    medianOf(prices.map((price) => of(price[who])));
  const figure = (id: string, what: string, of: (price: Price) => number) => ({
    ...{ id, what, value: middle("ours", of), unit: "ms" },
    floor: { what: "docker run -d", value: middle("plain", of) },
  });
  report([
    {
      ...figure(`docker-${atOnce}`, `a Docker launch, ${atOnce} at once`, ({ clock }) => clock),
      ...{ goal: { timesFloor: 1.05 }, bound: "dockerd, containerd and runc" },
    },
    {
      ...figure(`docker-${atOnce}-cpu`, "the same, on processors", ({ client, daemon }) => client + daemon),
      ...{ goal: { timesFloor: 1.05 }, bound: "dockerd, containerd and runc" },
    },
  ]);
} finally {
  await dockerd.stop();
  await rm(workDir, { recursive: true, force: true });
}
