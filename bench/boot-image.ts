/**
 * From `docker run` to a registered agent, in the image itself, by phases, beside a plain `docker run` of the same image with
 * /bin/true. In milliseconds, the median of RUNS; what the container holds in memory last. The master runs outside.
 *
 *   npm run bench boot-image -- [RUNS] [--docker unix:///var/run/docker.sock] [--image mesos-slave]
 *
 * Without --docker it starts a dockerd of its own and builds the image first. On a busy machine the figures say little; a daemon
 * with `nice -n -15 dockerd --cgroup-parent …` and a large share of CPU for that group is nearly alone.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { sleep, systemClock } from "../src/base/clock.ts";
import { freePort } from "../test/support/free-port.ts";
import { IMAGE, ImageDocker } from "../test/support/image.ts";
import { Program } from "../test/support/program.ts";

/** What is asked for: milliseconds beyond the plain run, and MB. */
const AIM = 1500;
const MEMORY_AIM = 250;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { docker: { type: "string" }, image: { type: "string", default: IMAGE } },
});
const runs = Number(positionals[0] ?? 11);

function docker(host: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", ["-H", host, ...words], { encoding: "utf8" });
  if (status !== 0) throw new Error(`docker ${words.join(" ")}: ${stdout}${stderr}`);
  return (stdout + stderr).trim();
}

/** Milliseconds since the machine's start, the clock by which the kernel notes the start of a process. */
const uptime = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;

interface Started {
  readonly name: string;
  /** Milliseconds since the machine's start. */
  readonly at: number;
  readonly pid: number;
}

/** Every process below `pid`, itself first. */
function processesBelow(pid: number): Started[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const program = words.map((word) => /([^/]+?)(?:\.js)?$/.exec(word)?.[1] ?? "");
    const name =
      program.find((word) => /^(init\.sh|supervisord|mesos-slave|redpill|logstash-forwarder)$/.test(word)) ?? "?";
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
    );
    return [{ name, at: Number(fields[19]) * 10, pid }, ...children.flatMap(processesBelow)];
  } catch {
    return [];
  }
}

interface Life {
  /** Milliseconds since `docker run`. */
  readonly phases: ReadonlyMap<string, number>;
  /** MB by program. */
  readonly memory: ReadonlyMap<string, number>;
}

/** The moment (milliseconds since the epoch) of the first line of a glog file that matches. */
function momentOf(log: string, pattern: RegExp): number {
  const line = log.split("\n").find((each) => pattern.test(each)) ?? "";
  const found = /[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{6})/.exec(line);
  if (found === null) return Number.NaN;
  return Date.parse(`${new Date().getUTCFullYear()}-${found[1]}-${found[2]}T${found[3]?.slice(0, 12)}Z`);
}

async function live(host: string, master: number): Promise<Life> {
  const port = await freePort();
  const [begun, uptimeThen] = [Date.now(), uptime()];
  const environment = [`MESOS_MASTER=127.0.0.1:${master}`, "MESOS_IP=127.0.0.1", `MESOS_PORT=${port}`];
  const id = docker(
    host,
    ...["run", "-d", "--net=host", "--cap-add=SYS_ADMIN", "-v", "/sys:/sys:ro"],
    ...[...environment, "ENVIRONMENT=local"].flatMap((each) => ["-e", each]),
    values.image,
  );
  try {
    let log = "";
    for (let left = 300; !/Registered with the master/.test(log); left--) {
      if (left === 0) throw new Error(`not registered within 30 s:\n${log}`);
      await sleep(systemClock, 100);
      log = docker(host, "logs", id);
    }
    const pid = Number(docker(host, "inspect", "-f", "{{.State.Pid}}", id));
    const found = processesBelow(pid);
    const startOf = (name: string): number => (found.find((each) => each.name === name)?.at ?? Number.NaN) - uptimeThen;
    const said = (pattern: RegExp): number => momentOf(log, pattern) - begun;
    const phases = new Map([
      ["init.sh runs", startOf("init.sh")],
      ["init has ended, supervisord starts", startOf("supervisord")],
      ["supervisord starts the agent", startOf("mesos-slave")],
      ["the agent's first line", said(/level logging started/)],
      ["registered", said(/Registered with the master/)],
    ]);
    await sleep(systemClock, 2000);
    return { phases, memory: memoryOf(processesBelow(pid)) };
  } finally {
    docker(host, "rm", "-f", id);
  }
}

/** PSS: what is shared counts once. */
function memoryOf(found: readonly Started[]): Map<string, number> {
  const memory = new Map<string, number>();
  for (const { name, pid } of found) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    memory.set(name, (memory.get(name) ?? 0) + Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024);
  }
  return memory;
}

/** `docker run` of the image with nothing in it to do, until it has ended. */
function plain(host: string): number {
  const begun = performance.now();
  const id = docker(host, "run", "-d", "--net=host", "-v", "/sys:/sys:ro", "--entrypoint", "/bin/true", values.image);
  const took = performance.now() - begun;
  docker(host, "rm", "-f", id);
  return took;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const own = values.docker === undefined ? await ImageDocker.start() : undefined;
own?.build();
const host = values.docker ?? `unix://${own?.socket}`;
const masterPort = await freePort();
const master = new Program("mesos-local-master", ["--ip=127.0.0.1", `--port=${masterPort}`]);
try {
  await master.printed("Serving at");
  const lives: Life[] = [];
  const plains: number[] = [];
  for (let run = 0; run < runs; run++) {
    plains.push(plain(host));
    lives.push(await live(host, masterPort));
  }
  const base = median(plains);
  console.log(`${"plain docker run of /bin/true".padEnd(36)} ${base.toFixed(0).padStart(5)} ms`);
  let before = 0;
  for (const name of lives[0]?.phases.keys() ?? []) {
    const at = median(lives.map(({ phases }) => phases.get(name) ?? Number.NaN));
    console.log(`${name.padEnd(36)} ${at.toFixed(0).padStart(5)} ms  (+ ${(at - before).toFixed(0)})`);
    before = at;
  }
  console.log(`beyond the plain run: ${(before - base).toFixed(0)} ms (aim: below ${AIM})`);
  const memory = lives.at(-1)?.memory ?? new Map<string, number>();
  for (const [name, size] of memory) console.log(`${name.padEnd(36)} ${size.toFixed(0).padStart(5)} MB`);
  const sum = [...memory.values()].reduce((total, size) => total + size, 0);
  console.log(`${"all, idle".padEnd(36)} ${sum.toFixed(0).padStart(5)} MB PSS (aim: below ${MEMORY_AIM})`);
} finally {
  await master.stop();
  await own?.stop();
}
