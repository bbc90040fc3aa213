/**
 * Every figure in one table, each beside what the machine itself takes for the same in the same run, and beside what was
 * checked in: ratios, as values belong to the machine.
 *
 *   npm run build && npm run bench all -- [--quick] [--only launch,state] [--write] [--profiles FOLDER]
 *                                         [--peer-agent PATH] [--peer-forwarder PATH] [--disk FOLDER] [--note TEXT]
 *
 * --quick tries it in a minute or two; its figures say little. --peer-agent: a C++ mesos-agent beside its launcher;
 * --peer-forwarder: the Go logstash-forwarder. --profiles: processor profiles of the agent are kept there (and slow it down).
 * TMPDIR=/dev/shm leaves the disk out; --disk (default: /var/tmp) is where launches are measured with one.
 * --note: what a reader should know of this run. --write makes bench/results.json, from which `npm run docs` makes docs/figures.md. Exit code 1 when a ratio is a quarter
 * worse than the checked-in one of the same mode.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Figure, type Results, saidBy, tableOf, worseThan } from "./figures.ts";

const root = resolve(import.meta.dirname, "..");
const resultsFile = join(import.meta.dirname, "results.json");
/** Milliseconds that one bench may take. */
const PATIENCE = 1_200_000;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    write: { type: "boolean", default: false },
    profiles: { type: "string" },
    "peer-agent": { type: "string" },
    "peer-forwarder": { type: "string" },
    disk: { type: "string", default: "/var/tmp" },
    note: { type: "string" },
  },
});

const program = join(root, "dist/mesos-slave.js");
const agent = ["--program", program];
const peerAgent = values["peer-agent"] === undefined ? [] : ["--peer-agent", values["peer-agent"]];
const peerForwarder = values["peer-forwarder"] === undefined ? [] : ["--other", values["peer-forwarder"]];

/** A bench and its words; `quick` in their place when it is only tried. */
interface Run {
  readonly bench: string;
  readonly words: readonly string[];
  readonly quick: readonly string[];
}

const onDisk = [...agent, "--disk", values.disk, "--tasks"];

const runs: readonly Run[] = [
  // First: a file system that has just deleted much is slow for minutes.
  { bench: "launch", words: [...onDisk, "200,1000"], quick: [...onDisk, "50"] },
  {
    bench: "launch",
    words: [...agent, ...peerAgent, "--tasks", "100,200,1000,5000"],
    quick: [...agent, ...peerAgent, "--tasks", "50", "--rest", "1"],
  },
  { bench: "short-tasks", words: [...agent], quick: [...agent, "--tasks", "500", "--wave", "50", "--rest", "1"] },
  { bench: "recovery", words: [...agent], quick: [...agent, "--tasks", "50", "--rounds", "1"] },
  { bench: "recovery", words: [...agent, "--tasks", "5000", "--rounds", "1"], quick: [] },
  { bench: "state", words: [], quick: [] },
  { bench: "loop-delay", words: [], quick: ["pings", "state"] },
  { bench: "boot", words: ["3", "--profile", "production"], quick: ["1", "--profile", "production"] },
  {
    bench: "forwarder",
    words: [...peerForwarder],
    quick: [...peerForwarder, "--lines", "100000", "--only", "throughput,long"],
  },
  { bench: "forwarder", words: ["--only", "idle", "--files", "10000"], quick: [] },
  { bench: "docker", words: [], quick: ["--containers", "2", "--rounds", "1"] },
  { bench: "docker", words: ["--at-once", "8"], quick: [] },
];

/** What one bench found, and why that is not all. */
interface Outcome {
  readonly figures: readonly Figure[];
  readonly complaint?: string;
}

/** Runs one bench in a process of its own, its words passed on. */
function carryOut({ bench }: Run, words: readonly string[], folder: string): Promise<Outcome> {
  const found = join(folder, "figures");
  const profiles = values.profiles === undefined ? undefined : resolve(values.profiles, bench);
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  rmSync(found, { force: true });
  console.log(`\n${bench} ${words.join(" ")}`);
  const child = spawn(process.execPath, [join(import.meta.dirname, `${bench}.ts`), ...words], {
    cwd: root,
    stdio: ["ignore", "inherit", "pipe"],
    timeout: PATIENCE,
    env: {
      ...process.env,
      BENCH_REPORT: found,
      ...(profiles !== undefined && { AGENT_NODE_FLAGS: `--cpu-prof --cpu-prof-dir=${profiles}` }),
    },
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    complaint = (complaint + piece).slice(-2000);
  });
  return new Promise((done) => {
    child.once("close", (code) => {
      const lines = existsSync(found) ? readFileSync(found, "utf8").trim().split("\n").filter(Boolean) : [];
      const figures = lines.map((line) => JSON.parse(line) as Figure);
      if (code === 0 && figures.length > 0) done({ figures });
      else done({ figures, complaint: `${bench} ${words.join(" ")}: ${saidBy(complaint) ?? `ended with ${code}`}` });
    });
  });
}

async function measureAll(): Promise<Results> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const figures: Figure[] = [];
  const missing: string[] = [];
  try {
    for (const run of runs) {
      const words = values.quick ? run.quick : run.words;
      if (values.only !== undefined && !values.only.split(",").includes(run.bench)) {
        missing.push(`${run.bench} ${run.words.join(" ")}`.trim().concat(": left out (--only)"));
        continue;
      }
      // The second of a kind has nothing small.
      if (values.quick && words.length === 0 && run.words.length > 0) continue;
      const found = await carryOut(run, words, folder);
      figures.push(...found.figures);
      if (found.complaint !== undefined) missing.push(found.complaint);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const [processor] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} × ${processor?.model.trim()}, ${memory} GB, Linux ${release()}, Node ${process.version}`;
  const date = new Date().toISOString().slice(0, 10);
  return { machine, date, ...(values.note && { note: values.note }), quick: values.quick, figures, missing };
}

if (!existsSync(program)) throw new Error(`${program} is not there\n  Fix: npm run build`);
const earlier = existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, "utf8")) as Results) : undefined;
const results = await measureAll();
const comparable = earlier?.quick === results.quick ? earlier : undefined;
console.log(`\n${results.date}, ${results.machine}\n`);
console.log(tableOf(results, comparable).join("\n"));
for (const text of results.missing) console.log(`not measured: ${text}`);
const worse = comparable === undefined ? [] : worseThan(results, comparable);
for (const { what } of worse) console.log(`worse than on ${comparable?.date}: ${what}`);
if (values.write) writeFileSync(resultsFile, `${JSON.stringify(results, undefined, 2)}\n`);
process.exitCode = worse.length > 0 ? 1 : 0;
