/** `npm start`: a whole node in one command. The image's own init, below a private folder, with the embedded master. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { sleep, systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { layOut, processesOf } from "../init/layout.ts";
import { pathsBelow } from "../init/paths.ts";
import { maskZooKeeperUrl } from "../zookeeper/url.ts";

const packageFolder = resolve(
  import.meta.dirname,
  existsSync(join(import.meta.dirname, "../../skel")) ? "../.." : "..",
);

const agentPort = process.env["MESOS_PORT"] ?? "5051";
const MASTER_PORT = "5050";

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** supervisord from Debian: installed when root, else the one command is said. */
function ensureSupervisord(): void {
  if (onPath("supervisord")) return;
  const command = "apt-get install -y --no-install-recommends supervisor";
  if (process.getuid?.() !== 0 || !onPath("apt-get"))
    throw new UserError("supervisord is not installed", `sudo ${command}`);
  console.log(`Installing supervisord: ${command}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (words: string, stderr: "ignore" | "inherit"): boolean =>
    spawnSync("sh", ["-c", words], { stdio: ["ignore", "ignore", stderr], env: environment }).status === 0;
  // A fresh machine knows no packages before an update: the first failure is nothing to read.
  if (!run(command, "ignore") && !(run("apt-get update", "inherit") && run(command, "inherit")))
    throw new UserError("supervisord could not be installed", command);
}

/** A checkout needs its packages and the generated code, which `npm ci` brings. */
function ensureInstalled(): void {
  const missing = ["node_modules/@bufbuild/protobuf", "src/mesos/gen"].find(
    (path) => !existsSync(join(packageFolder, path)),
  );
  if (existsSync(join(packageFolder, "src/main")) && missing !== undefined)
    throw new UserError(`${missing} is not there`, "npm ci");
}

/** Fails, naming the port and the `way` round it, when something else listens there. What is no port is the agent's to refuse. */
function ensureFree(port: string, way: string): Promise<void> {
  return new Promise((done, reject) => {
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return done();
    const server = createServer();
    server.once("error", () =>
      reject(
        new UserError(
          `port ${port} of 127.0.0.1 is taken`,
          `is a node running already? Stop what listens there (ss -ltnp 'sport = :${port}'), or ${way}`,
        ),
      ),
    );
    server.listen({ host: "127.0.0.1", port: Number(port) }, () => server.close(() => done()));
  });
}

async function answers(port: string): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

async function isRegistered(): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${agentPort}/metrics/snapshot`, { signal: AbortSignal.timeout(2000) });
    return ((await answer.json()) as Record<string, number>)["slave/registered"] === 1;
  } catch {
    return false;
  }
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
    await sleep(systemClock, 250);
  }
  return !ended.aborted;
}

/** Milliseconds that a master may take before it is said that the node waits for it. */
const REGISTRATION_PATIENCE = 10_000;

async function announce(root: string, ended: AbortSignal): Promise<void> {
  const master = process.env["MESOS_MASTER"];
  await until(() => answers(agentPort), ended);
  const registered = await until(isRegistered, ended, REGISTRATION_PATIENCE);
  if (ended.aborted) return;
  const at = master ?? `127.0.0.1:${MASTER_PORT}`;
  console.log(`
${registered ? "The node is up." : `The node is up, but not registered with ${maskZooKeeperUrl(at)} yet: its log says what it waits for.`}
  agent   http://127.0.0.1:${agentPort}${master === undefined ? `\n  master  http://127.0.0.1:${MASTER_PORT}` : ""}
  files   ${root}
Try:
  npx mesos-execute --master=${maskZooKeeperUrl(at)} --name=hello --command='echo hello; sleep 1; echo done'
Ctrl-C stops everything.
`);
}

/** Ends what is left of the node, tasks included: nobody would look after them. */
function endLeftovers(root: string): void {
  for (const pid of processesOf(root, [process.pid, process.ppid])) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** After a stop the services have this long (ms); Ctrl-C is over within 5 s. */
const PATIENCE = 4000;

async function main(): Promise<number> {
  const root = existsSync(join(packageFolder, "src/main"))
    ? join(packageFolder, ".node")
    : join(homedir(), ".mesos-slave");
  pathsBelow(root);
  ensureInstalled();
  ensureSupervisord();
  await ensureFree(agentPort, "take another: MESOS_PORT=5052 npm start");
  if (process.env["MESOS_MASTER"] === undefined)
    await ensureFree(MASTER_PORT, "join a master that runs: MESOS_MASTER=host:port npm start");
  layOut({ packageFolder, root, node: process.execPath });
  endLeftovers(root);
  const child = spawn(join(root, "init.sh"), {
    // In a session of its own: Ctrl-C reaches this process only, and init gets one clean TERM.
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      MESOS_MASTER: process.env["MESOS_MASTER"] ?? "local",
      MESOS_IP: process.env["MESOS_IP"] ?? "127.0.0.1",
      MESOS_HOSTNAME: process.env["MESOS_HOSTNAME"] ?? "127.0.0.1",
      // Nothing outside the private folder; another user than root could not write there.
      MESOS_RUNTIME_DIR: process.env["MESOS_RUNTIME_DIR"] ?? join(root, "run/mesos"),
      MESOS_FETCHER_CACHE_DIR: process.env["MESOS_FETCHER_CACHE_DIR"] ?? join(root, "tmp/fetch"),
      // Somebody is waiting: what cannot start is said after 6 s, not after a minute.
      SERVICE_START_RETRIES: process.env["SERVICE_START_RETRIES"] ?? "3",
    },
  });
  const ended = new AbortController();
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    child.kill("SIGTERM");
    systemClock.after(PATIENCE, () => endLeftovers(root));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  announce(root, ended.signal).catch((error: unknown) => console.error(messageOf(error)));
  const code = await new Promise<number>((done, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => done(status ?? 1));
  });
  ended.abort();
  endLeftovers(root);
  return stopped ? 0 : code;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
