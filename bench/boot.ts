/**
 * How long the container takes from its start to a registered agent, to its end, and what it holds in memory: the image's own
 * init below a temporary folder, bundled as in the image, without Docker's own start. In seconds and MB; the best of RUNS.
 *
 *   npm run bench boot -- [RUNS] [--profile local|production]
 *
 *             bench/boot-image.ts measures the image with Docker's own start
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { layOut } from "../src/init/layout.ts";
import { buildAll } from "../tools/build.ts";
import { makeCertificate } from "./certificate.ts";
import { report } from "./report.ts";

const packageFolder = resolve(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: "string", default: "local" } },
});
const runs = Number(positionals[0] ?? 5);
const root = mkdtempSync(join(tmpdir(), "boot-"));

interface Measured {
  readonly marks: Map<string, number>;
  readonly memory: Map<string, number>;
}

/** What is looked for in the output, in order. */
const MARKS: readonly (readonly [string, RegExp])[] = [
  ["settings resolved", /\[Init\]\[App-Name\]/],
  ["supervisord runs", /supervisord started/],
  ["agent spawned", /spawned: 'mesos'/],
  ["watchdog watches", /watching mesos/],
  ["agent registered", /(?:Registered agent|answered the (?:re-)?registration|Registered with master)/],
];

/** Proportional memory (shared pages counted once over all) by process, in MB. */
function memoryBelow(pid: number, found = new Map<string, number>()): Map<string, number> {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, "utf8");
    } catch {
      return "";
    }
  };
  const words = read("cmdline").split("\0");
  const name = words
    .map((word) => /([^/]+?)(?:\.js)?$/.exec(word)?.[1] ?? "")
    .find((word) => /^(init\.sh|supervisord|mesos-slave|redpill|logstash-forwarder)$/.test(word));
  const size = Number(/^Pss:\s+(\d+)/m.exec(read("smaps_rollup"))?.[1] ?? 0) / 1024;
  const label = name ?? words[0] ?? "?";
  found.set(label, (found.get(label) ?? 0) + size);
  for (const task of tasksOf(pid))
    for (const child of read(`task/${task}/children`).trim().split(" ").filter(Boolean))
      memoryBelow(Number(child), found);
  return found;
}

/** Threads of a process; none when it has ended. */
function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Milliseconds after which a life without a registration is given up. */
const PATIENCE = 60_000;

/** One life: until the agent is registered and a moment of rest, then a stop. */
function live(): Promise<Measured> {
  rmSync(join(root, "var/lib/mesos"), { recursive: true, force: true });
  return new Promise((done, reject) => {
    const started = performance.now();
    const marks = new Map<string, number>();
    let memory = new Map<string, number>();
    let output = "";
    let resting = false;
    let stopped = 0;
    const child = spawn(join(root, "init.sh"), {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...{ PATH: process.env["PATH"], MESOS_MASTER: "local", MESOS_IP: "127.0.0.1", MESOS_HOSTNAME: "127.0.0.1" },
        ...{ ENVIRONMENT: values.profile, SERVICE_LOGSTASH_FORWARDER_CONF: configuration },
      },
    });
    const took = (chunk: Buffer): void => {
      output += chunk.toString();
      const now = (performance.now() - started) / 1000;
      for (const [name, pattern] of MARKS) if (!marks.has(name) && pattern.test(output)) marks.set(name, now);
      if (!marks.has("agent registered") || resting) return;
      resting = true;
      setTimeout(() => {
        memory = memoryBelow(child.pid ?? 0);
        stopped = performance.now();
        child.kill("SIGTERM");
      }, 2000);
    };
    const patience = setTimeout(() => {
      child.kill("SIGTERM");
      reject(new Error(`not registered within ${PATIENCE / 1000} s:\n${output.slice(-2000)}`));
    }, PATIENCE);
    child.stdout.on("data", took);
    child.stderr.on("data", took);
    child.once("exit", () => {
      if (stopped === 0) reject(new Error(`it ended by itself:\n${output.slice(-2000)}`));
      clearTimeout(patience);
      marks.set("stop", (performance.now() - stopped) / 1000);
      done({ marks, memory });
    });
  });
}

layOut({ packageFolder, root, node: process.execPath });
rmSync(join(root, "opt/mesos-slave/source"), { force: true });
/** A forwarder that follows the agent's logs, with a registry of its own; nobody takes what it ships. */
const configuration = join(root, "forwarder.json");
writeFileSync(
  configuration,
  JSON.stringify({
    network: { servers: ["127.0.0.1:1"], "ssl ca": makeCertificate(root).cert },
    files: [{ paths: [join(root, "var/log/mesos/*")] }],
    registry: { path: join(root, "registry.json") },
  }),
);
await buildAll(join(root, "opt/mesos-slave/dist"), { sourcemap: false });
try {
  const lives: Measured[] = [];
  for (let run = 0; run < runs; run++) lives.push(await live());
  for (const name of [...MARKS.map(([mark]) => mark), "stop"]) {
    const times = lives.map(({ marks }) => marks.get(name) ?? Number.NaN).sort((a, b) => a - b);
    console.log(
      `${name.padEnd(20)} best ${times[0]?.toFixed(2)} s   median ${times[Math.floor(times.length / 2)]?.toFixed(2)} s`,
    );
  }
  const memory = lives.at(-1)?.memory ?? new Map<string, number>();
  for (const [name, size] of memory) console.log(`${name.padEnd(20)} ${size.toFixed(0).padStart(4)} MB`);
  const sum = [...memory.values()].reduce((total, size) => total + size, 0);
  const registered = lives.map(({ marks }) => marks.get("agent registered") ?? Number.NaN).sort((a, b) => a - b);
  report([
    {
      ...{ id: `container-${values.profile}`, what: `the idle container, ${values.profile} profile (PSS)`, unit: "MB" },
      value: sum,
      goal: { atMost: 150 },
      bound: "a Node for each program and Python for supervisord",
    },
    {
      ...{ id: `boot-${values.profile}`, what: "from its start to a registered agent", unit: "s" },
      value: registered[0] ?? Number.NaN,
      bound: "the starts of Bash, Python and three Nodes, one after the other",
    },
  ]);
} finally {
  rmSync(root, { recursive: true, force: true });
}
