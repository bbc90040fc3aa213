/** `npm start`: a whole node in one command. The image's own init, below a private folder, with the embedded master. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join, resolve } from "node:path";
import { every, sleep, systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { layOut } from "../init/layout.ts";
import { lookForDocker } from "../init/start/docker.ts";
import { addressFor, onPath, withoutNpm } from "../init/start/environment.ts";
import { claimFolder, folderOf, holdFolder, homeOf } from "../init/start/folder.ts";
import { endLeftovers } from "../init/start/leftovers.ts";
import { DEFAULT_AGENT_PORT, DEFAULT_MASTER_PORT, ensureFree, type Ports, portOf } from "../init/start/ports.ts";
import { lastWords, stoppingLine, type Up, upBlock, warningsIn } from "../init/start/screen.ts";
import { startHelp, startWords } from "../init/start/words.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { maskZooKeeperUrl } from "../zookeeper/url.ts";

const packageFolder = resolve(
  import.meta.dirname,
  existsSync(join(import.meta.dirname, "../../skel")) ? "../.." : "..",
);

const environment = withoutNpm(process.env, packageFolder);
const given = (name: string): string | undefined => environment[name] || undefined;

/** supervisord from Debian: installed when root, else the one command is said. */
function ensureSupervisord(): void {
  if (onPath("supervisord", environment)) return;
  const command = "apt-get install -y --no-install-recommends supervisor";
  if (process.getuid?.() !== 0 || !onPath("apt-get", environment))
    throw new UserError("supervisord is not installed", `sudo ${command}`);
  console.log(`Installing supervisord: ${command}`);
  const quiet = { ...environment, DEBIAN_FRONTEND: "noninteractive" };
  const run = (words: string, stderr: "ignore" | "inherit"): boolean =>
    spawnSync("sh", ["-c", words], { stdio: ["ignore", "ignore", stderr], env: quiet }).status === 0;
  // A fresh machine knows no packages before an update: the first failure is nothing to read.
  if (!run(command, "ignore") && !(run("apt-get update", "inherit") && run(command, "inherit")))
    throw new UserError("supervisord could not be installed", command);
}

/** A checkout needs its packages, which `npm ci` brings. */
function ensureInstalled(): void {
  const missing = "node_modules/@bufbuild/protobuf";
  if (existsSync(join(packageFolder, "src/main")) && !existsSync(join(packageFolder, missing)))
    throw new UserError(`${missing} is not there`, "npm ci");
}

/** What this start is to be. */
interface Node {
  readonly root: string;
  readonly ports: Ports;
  /** The master that is joined; undefined for the development master. */
  readonly joined: string | undefined;
  /** Where the agent answers this machine. */
  readonly host: string;
}

/** What the node below `root` says, until it is up and after. */
const consoleOf = (root: string): string => join(root, "var/log/console.log");

function nodeOf(): Node {
  const joined = given("MESOS_MASTER") === "local" ? undefined : given("MESOS_MASTER");
  const agent = portOf("MESOS_PORT", given("MESOS_PORT"), DEFAULT_AGENT_PORT);
  const master = portOf("MESOS_MASTER_PORT", given("MESOS_MASTER_PORT"), DEFAULT_MASTER_PORT);
  const checkout = existsSync(join(packageFolder, "src/main")) ? packageFolder : undefined;
  const where = {
    checkout,
    port: agent,
    get home() {
      return homeOf();
    },
  };
  const root = resolve(folderOf(given("START_FOLDER"), where));
  const ip = given("MESOS_IP") ?? "127.0.0.1";
  return {
    root,
    ports: { agent, master: joined === undefined ? master : undefined },
    joined,
    host: ip === "0.0.0.0" ? "127.0.0.1" : ip,
  };
}

async function ask(url: string): Promise<Response | undefined> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(2000) });
  } catch {
    return undefined;
  }
}

async function isRegistered(agentUrl: string): Promise<boolean> {
  const answer = await ask(`${agentUrl}/metrics/snapshot`);
  return ((await answer?.json().catch(() => ({}))) as Record<string, number>)?.["slave/registered"] === 1;
}

/** Waits until `holds`, at most `limit` milliseconds, or until the node has ended. */
async function until(
  holds: () => Promise<boolean>,
  ended: AbortSignal,
  limit = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const since = systemClock.monotonic();
  while (!(await holds())) {
    if (ended.aborted || systemClock.monotonic() - since > limit) return false;
    await sleep(systemClock, 100);
  }
  return !ended.aborted;
}

/** Milliseconds that a master may take before it is said that the node waits for it. */
const REGISTRATION_PATIENCE = 10_000;

async function announce(node: Node, docker: Up["docker"], ended: AbortSignal): Promise<void> {
  const agentUrl = `http://${node.host}:${node.ports.agent}`;
  await until(async () => (await ask(`${agentUrl}/health`))?.ok === true, ended);
  const registered = await until(() => isRegistered(agentUrl), ended, REGISTRATION_PATIENCE);
  if (ended.aborted) return;
  for (const warning of warningsIn(readFileSync(consoleOf(node.root), "utf8"))) console.log(warning);
  const { joined, host, ports, root } = node;
  const masterUrl = joined === undefined ? `http://${host}:${ports.master}` : undefined;
  const master = joined === undefined ? `${host}:${ports.master}` : maskZooKeeperUrl(joined);
  console.log(upBlock({ agentUrl, masterUrl, master, registered, docker, root }));
}

/** Bytes of what the node says that are kept; its own logs keep more. */
const LONGEST_CONSOLE = 4 * 1024 * 1024;

/** init and all below it, in a session of its own: Ctrl-C reaches this process only, and init gets one clean TERM. */
function startInit({ root, ports, joined }: Node, hasDocker: boolean): ChildProcess {
  const path = consoleOf(root);
  rmSync(path, { force: true });
  const output = openSync(path, "a", 0o644);
  every(systemClock, 10_000, () => {
    if (statSync(path).size > LONGEST_CONSOLE) truncateSync(path);
  });
  return spawn(join(root, "init.sh"), {
    detached: true,
    stdio: ["ignore", output, output],
    env: {
      ...environment,
      // As init.sh itself has it: it is found by it, should it outlive this process.
      INIT_ROOT: root,
      ...addressFor(joined, environment),
      MESOS_MASTER: joined ?? "local",
      MESOS_PORT: String(ports.agent),
      // A machine without Docker is nothing to warn of; what asks for it is refused by name.
      ...(!hasDocker && { MESOS_CONTAINERIZERS: given("MESOS_CONTAINERIZERS") ?? "mesos" }),
      ...(ports.master !== undefined && { MESOS_MASTER_PORT: String(ports.master) }),
      // Nothing outside the private folder; another user than root could not write there.
      MESOS_RUNTIME_DIR: given("MESOS_RUNTIME_DIR") ?? join(root, "run/mesos"),
      MESOS_FETCHER_CACHE_DIR: given("MESOS_FETCHER_CACHE_DIR") ?? join(root, "tmp/fetch"),
      // Somebody is waiting: what cannot start is said after 6 s, not after a minute.
      SERVICE_START_RETRIES: given("SERVICE_START_RETRIES") ?? "3",
    },
  });
}

/** After a stop the services have this long (ms); Ctrl-C is over within 5 s. */
const PATIENCE = 4000;
/** In another master's cluster the agent first ends its tasks, with their grace, and says so (ms). */
const PATIENCE_FOR_TASKS = 20_000;

/** The agent ends its tasks and unregisters; over when it has ended. */
async function leaveMaster(root: string): Promise<void> {
  // Through a descriptor: the folder's own path may be longer than a socket's may be.
  const folder = openSync(root, "r");
  const supervisor = new Supervisor(`/proc/self/fd/${folder}/run/supervisor.sock`, systemClock);
  await supervisor.signal("mesos", "USR1");
  const since = systemClock.monotonic();
  while (systemClock.monotonic() - since < PATIENCE_FOR_TASKS) {
    const agent = (await supervisor.processes()).find(({ name }) => name === "mesos");
    if (agent?.state !== "RUNNING") return;
    await sleep(systemClock, 100);
  }
}

async function main(): Promise<number> {
  const asked = startWords(process.argv.slice(2));
  if (asked !== undefined) {
    console.log(asked === "help" ? startHelp() : versionLine("mesos-slave", MESOS_VERSION));
    return 0;
  }
  const wanted = nodeOf();
  ensureInstalled();
  ensureSupervisord();
  const node = { ...wanted, root: claimFolder(wanted.root, process.getuid?.() ?? 0) };
  const { root, joined } = node;
  await holdFolder(root);
  // A start that was killed itself leaves a node that holds the ports, and that nobody can stop from a terminal.
  await endLeftovers(root, systemClock);
  await ensureFree(node.ports, node.host);
  console.log(`Starting a node in ${root}`);
  layOut({ packageFolder, root, node: process.execPath });
  mkdirSync(join(root, "var/log"), { recursive: true });
  // The development master forgets everything, and nothing of the last node is left: this is a new one.
  if (joined === undefined) rmSync(join(root, "var/lib/mesos/meta/slaves/latest"), { force: true });
  const docker = await lookForDocker(environment, systemClock);
  const child = startInit(node, "version" in docker);
  const ended = new AbortController();
  let stops = 0;
  const stop = (): void => {
    stops++;
    if (stops === 1) console.log(stoppingLine(joined !== undefined));
    const end = (): void => {
      child.kill("SIGTERM");
      systemClock.after(PATIENCE, () => void endLeftovers(root, systemClock));
    };
    if (joined === undefined || stops > 1) end();
    else void leaveMaster(root).then(end, end);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  announce(node, docker, ended.signal).catch((error: unknown) => console.error(messageOf(error)));
  const code = await new Promise<number>((done, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => done(status ?? 1));
  });
  ended.abort();
  await endLeftovers(root, systemClock);
  if (stops > 0) return 0;
  const said = consoleOf(root);
  console.error(`${lastWords(readFileSync(said, "utf8"))}\nThe node has ended. All that it said: ${said}`);
  return code;
}

// A screen that is closed (| head, a terminal that is gone) is no reason to leave the node to nobody.
for (const screen of [process.stdout, process.stderr]) screen.on("error", () => undefined);

try {
  process.exit(await main());
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
