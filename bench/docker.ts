/**
 * What the agent adds to Docker: 50 containers started by the Docker containerizer and 50 by plain `docker run -d`, at the
 * same dockerd (one of its own), in turns. Prints milliseconds a container and the ratio of the medians.
 *
 *   npm run bench docker -- [--containers 50] [--rounds 3] [--at-once 1]
 */
import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { dockerdMissing, TestDockerd } from "../test/support/dockerd.ts";
import { newWorkDir, openContainerizer } from "../test/support/dockerd-containerizer.ts";
import { dockerSpec } from "../test/support/dockerd-tasks.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    containers: { type: "string", default: "50" },
    rounds: { type: "string", default: "3" },
    "at-once": { type: "string", default: "1" },
  },
});
const count = Number(values.containers);
const atOnce = Number(values["at-once"]);

const missing = dockerdMissing();
if (missing !== undefined) {
  console.error(`bench/docker: ${missing}`);
  process.exit(1);
}

/** Milliseconds that `count` starts take, `atOnce` of them at the same time. */
async function timed(start: (index: number) => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await start(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return performance.now() - begin;
}

const dockerd = await TestDockerd.start();
const workDir = await newWorkDir();
const clear = async (): Promise<void> => {
  const ids = (await dockerd.docker("ps", "-aq")).split("\n").filter((id) => id !== "");
  if (ids.length > 0) await dockerd.docker("rm", "-f", ...ids);
};
const ours: number[] = [];
const plain: number[] = [];
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    const specs = await Promise.all(Array.from({ length: count }, () => dockerSpec(workDir, "sleep 1000")));
    const containerizer = await openContainerizer(dockerd, workDir);
    const signal = new AbortController().signal;
    ours.push(
      await timed(async (index) => {
        const spec = specs[index];
        if (spec !== undefined) await containerizer.launch(spec, signal);
      }),
    );
    await containerizer.close();
    await clear();
    const sandbox = `${workDir}:/mnt/mesos/sandbox`;
    const limits = ["--cpu-shares", "102", "--memory", "32m"];
    const command = ["--net", "host", "--entrypoint", "/bin/sh", "box:1", "-c", "sleep 1000"];
    plain.push(await timed(() => dockerd.docker("run", "-d", ...limits, "-v", sandbox, ...command)));
    await clear();
    console.log(`round ${round + 1}: ours ${each(ours.at(-1))} ms, docker run -d ${each(plain.at(-1))} ms a container`);
  }
  report([
    {
      ...{
        id: `docker-${atOnce}`,
        what: `a Docker launch, ${atOnce} at once`,
        value: median(ours) / count,
        unit: "ms",
      },
      floor: { what: "docker run -d", value: median(plain) / count },
      goal: { timesFloor: 1.05 },
      bound: "dockerd",
    },
  ]);
} finally {
  await dockerd.stop();
  await rm(workDir, { recursive: true, force: true });
}

function each(milliseconds = 0): string {
  return (milliseconds / count).toFixed(1);
}

function median(figures: readonly number[]): number {
  return [...figures].sort((left, right) => left - right)[Math.floor(figures.length / 2)] ?? 0;
}
