/**
 * The same table on a C++ agent and on ours, each with the C++ master, one after the other; prints what differs, and in what
 * the answers of their APIs have other keys. Ends with 1 when something differs that the table does not say is better.
 *
 *   npm run conformance -- --peer=FOLDER
 *
 * FOLDER has the programs mesos-master and mesos-agent, built outside of this project (`.libs` in it is searched for their
 * libraries). Run as root, as C++ agents want it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { type Answers, differing } from "./answers.ts";
import { keyPaths } from "./key-paths.ts";
import { differences, type Outcome, type Run, runTable } from "./runner.ts";
import { table } from "./table.ts";

const RESOURCES = "--resources=cpus:1000;mem:1000000;disk:100000;ports:[31000-32000]";
const PATIENCE = 60_000;

/** Pages and calls whose answers are laid side by side, once the tasks have ended. */
const CALLS = ["GET_VERSION", "GET_FLAGS", "GET_STATE", "GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS", "GET_AGENT"];
const PAGES = ["/state", "/version", "/flags", "/metrics/snapshot", "/monitor/statistics", "/containers"];

interface Result {
  readonly run: Run;
  readonly answers: Answers;
}

class Peer {
  readonly #folder: string;
  readonly #home = mkdtempSync(join(tmpdir(), "peer-"));
  readonly #children: ChildProcess[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get workDir(): string {
    return join(this.#home, "agent");
  }

  start(program: string, ...flags: string[]): ChildProcess {
    const output = openSync(join(this.#home, `${program}.log`), "a");
    const child = spawn(join(this.#folder, program), flags, {
      stdio: ["ignore", output, output],
      env: { ...process.env, LD_LIBRARY_PATH: join(this.#folder, ".libs") },
    });
    this.#children.push(child);
    return child;
  }

  async master(): Promise<string> {
    const port = await freePort();
    this.start("mesos-master", "--ip=127.0.0.1", `--port=${port}`, `--work_dir=${join(this.#home, "master")}`);
    await answering(`http://127.0.0.1:${port}/version`);
    return `127.0.0.1:${port}`;
  }

  async agent(master: string): Promise<{ child: ChildProcess; port: number }> {
    const port = await freePort();
    const flags = ["--ip=127.0.0.1", `--port=${port}`, `--master=${master}`, `--work_dir=${this.workDir}`, RESOURCES];
    const more = [`--launcher_dir=${this.#folder}`, "--launcher=posix", "--isolation=posix/cpu,posix/mem"];
    const runtime = [`--runtime_dir=${join(this.#home, "run")}`, "--no-systemd_enable_support", "--no-switch_user"];
    return { child: this.start("mesos-agent", ...flags, ...more, ...runtime), port };
  }

  close(): void {
    for (const child of this.#children) child.kill("SIGTERM");
    rmSync(this.#home, { recursive: true, force: true });
  }
}

async function answering(url: string): Promise<void> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      if ((await fetch(url)).ok) return;
    } catch (error) {
      if (Date.now() > end) throw new Error(`nobody answers at ${url} within ${PATIENCE / 1000} s`, { cause: error });
    }
    await pause(200);
  }
}

async function answersOf(port: number): Promise<Answers> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  const base = `http://127.0.0.1:${port}`;
  for (const page of PAGES) found.set(page, keyPaths(await (await fetch(`${base}${page}`)).json()));
  for (const type of CALLS) {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const answer = await fetch(`${base}/api/v1`, { method: "POST", headers, body: JSON.stringify({ type }) });
    found.set(type, keyPaths(await answer.json()));
  }
  return found;
}

async function onPeer(peer: Peer, master: string): Promise<Result> {
  const { child, port } = await peer.agent(master);
  await answering(`http://127.0.0.1:${port}/version`);
  let answers: Answers = new Map();
  const run = await runTable(table, { master, workDir: peer.workDir }, async () => {
    answers = await answersOf(port);
  });
  const ended = new Promise((done) => child.once("exit", done));
  // Unregisters, so that its resources are offered no more.
  child.kill("SIGUSR1");
  await ended;
  return { run, answers };
}

async function onOurs(master: string): Promise<Result> {
  const flags = [RESOURCES, "--no-switch_user", "--containerizers=mesos", "--isolation=posix/cpu,posix/mem"];
  const agent = new AgentProcess({ master, port: await freePort(), flags });
  try {
    agent.start();
    await answering(`http://127.0.0.1:${agent.port}/version`);
    let answers: Answers = new Map();
    const run = await runTable(table, { master, workDir: agent.workDir }, async () => {
      answers = await answersOf(agent.port);
    });
    return { run, answers };
  } finally {
    await agent.destroy();
  }
}

/** What may be said in more than one way is one text when it is said as expected. */
function told(outcome: Outcome | undefined, trouble: string | undefined, wanted: string | RegExp | undefined): string {
  if (outcome === undefined) return `nothing is known: ${trouble}`;
  const { states, message, reason = "", healthy = "" } = outcome;
  const words = wanted instanceof RegExp && wanted.test(message) ? String(wanted) : message;
  return [states.join(" "), words, reason, healthy].join(" | ");
}

/** Prints what differs, the peers from each other or both from the table; the number of what the table does not say is better. */
function compare(theirs: Result, ours: Result): number {
  let count = 0;
  for (const one of table) {
    const { name, better, expected } = one;
    const [left, right] = [theirs, ours].map(({ run }) =>
      told(run.outcomes.get(name), run.trouble.get(name), expected.message),
    );
    const outputs = [theirs, ours].map(({ run }) => run.outcomes.get(name)?.stdout.endsWith(expected.stdout ?? ""));
    const unexpected = better === undefined ? differences(one, theirs.run) : [];
    if (left === right && outputs[0] === outputs[1] && unexpected.length === 0) continue;
    if (better === undefined) count++;
    console.log(`${name}${better === undefined ? "" : ` (better: ${better})`}\n  C++:  ${left}\n  ours: ${right}`);
    for (const line of unexpected) console.log(`  C++, beside the table: ${line}`);
    if (outputs[0] !== outputs[1]) console.log(`  stdout as expected: C++ ${outputs[0]}, ours ${outputs[1]}`);
  }
  for (const { where, what, better } of differing(theirs.answers, ours.answers)) {
    if (better === undefined) count++;
    console.log(`${where}: ${what}${better === undefined ? "" : ` (better: ${better})`}`);
  }
  return count;
}

const { values } = parseArgs({ options: { peer: { type: "string" } } });
if (values.peer === undefined) {
  console.error("--peer=FOLDER is missing: the folder of a C++ mesos-master and mesos-agent");
  process.exitCode = 2;
} else {
  const peer = new Peer(values.peer);
  try {
    const master = await peer.master();
    const theirs = await onPeer(peer, master);
    const differing = compare(theirs, await onOurs(master));
    console.log(`${table.length} tasks, ${differing} differ`);
    process.exitCode = differing === 0 ? 0 : 1;
  } finally {
    peer.close();
  }
}
