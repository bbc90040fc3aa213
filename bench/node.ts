import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { LocalMaster } from "../src/local-master/local-master.ts";
import { freePort } from "../test/support/free-port.ts";
import { AgentProcess } from "../test/support/real-agent.ts";
import { TestScheduler } from "../test/support/scheduler.ts";
import { removedAtEnd } from "./leftovers.ts";
import { processesBelow } from "./processes.ts";
import { WireMaster } from "./wire-master.ts";

const RESOURCES = "--resources=cpus:1000;mem:1000000;disk:100000;ports:[31000-32000]";

/** Milliseconds that an agent may take until it is registered. */
const REGISTRATION = 60_000;

/** What is measured: an agent in a process of its own, with room for thousands of tasks. */
interface Measured {
  readonly pid: number;
  readonly port: number;
  close(): Promise<void>;
}

export interface MeasuredNode extends Measured {
  /** Subscribed, with an offer of the agent. */
  readonly scheduler: TestScheduler;
}

/** Without a whole master and a scheduler, which would take processors from what is measured. */
export interface WiredNode extends Measured {
  /** The agent is registered with it. */
  readonly master: WireMaster;
}

/** One of ours, which can be ended and started again. */
export interface OwnNode extends MeasuredNode {
  readonly agent: AgentProcess;
}

interface Started {
  readonly pid: number;
  end(): Promise<void>;
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** An agent of ours, started. */
function ownAgent(
  program: string | undefined,
  master: string,
  port: number,
  more: readonly string[] = [],
  nodeFlags: readonly string[] = [],
) {
  const flags = [RESOURCES, ...more];
  const agent = new AgentProcess({ master, port, flags, nodeFlags, ...(program !== undefined && { program }) });
  removedAtEnd(agent.folder);
  agent.start();
  const end = async (): Promise<void> => {
    // A profile is written by an agent that leaves, and its tasks would run on.
    const below = processesBelow(agent.pid);
    await agent.leave();
    for (const pid of below) endProcess(pid);
  };
  return { agent, pid: agent.pid, end };
}

/** A C++ agent, whose folder holds its launcher, too. Its tasks end with their framework. */
function peerAgent(path: string, master: string, port: number): Started {
  const folder = removedAtEnd(mkdtempSync(join(tmpdir(), "peer-")));
  const output = openSync(join(folder, "log"), "a");
  const flags = [
    ...[`--master=${master}`, "--ip=127.0.0.1", "--hostname=127.0.0.1", `--port=${port}`, RESOURCES],
    ...[`--work_dir=${folder}/work`, `--runtime_dir=${folder}/run`, `--launcher_dir=${dirname(path)}`],
    ...["--launcher=posix", "--isolation=posix/cpu,posix/mem", "--no-systemd_enable_support"],
  ];
  const libraries = { LD_LIBRARY_PATH: join(dirname(path), ".libs") };
  const env = { PATH: process.env["PATH"], ...libraries };
  const child: ChildProcess = spawn(path, flags, { stdio: ["ignore", output, output], env });
  closeSync(output);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    pid: child.pid ?? 0,
    end: async () => {
      child.kill("SIGUSR1");
      await ended;
    },
  };
}

/** A development master, an agent of ours (with more flags and words for its Node, if wanted), and a framework that checkpoints. */
export async function startNode(
  program: string | undefined,
  more: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<OwnNode> {
  const master = new LocalMaster({ port: 0 });
  await master.start();
  const port = await freePort();
  const { agent, pid, end } = ownAgent(program, master.address, port, more, nodeFlags);
  const options = { master: master.address, name: "bench", checkpoint: true, failoverTimeout: 3600 };
  const scheduler = new TestScheduler(options);
  const close = async (): Promise<void> => {
    scheduler.close();
    await end();
    await master.stop();
  };
  try {
    await scheduler.subscribe();
    await scheduler.offer();
  } catch (error) {
    await close();
    throw error;
  }
  return { agent, pid, port, scheduler, close };
}

/** Rejects when an agent should have registered. */
async function late(): Promise<never> {
  await pause(REGISTRATION, undefined, { ref: false });
  throw new Error(`the agent did not register within ${REGISTRATION / 1000} s`);
}

async function wired(start: (master: string, port: number) => Started): Promise<WiredNode> {
  const port = await freePort();
  const master = await WireMaster.start(port);
  const { pid, end } = start(master.address, port);
  const close = async (): Promise<void> => {
    await end();
    await master.close();
  };
  try {
    await Promise.race([master.registered, late()]);
  } catch (error) {
    await close();
    throw error;
  }
  return { pid, port, master, close };
}

/** An agent of ours, with nothing around it that takes processors. */
export const startWiredNode = (program: string | undefined): Promise<WiredNode> =>
  wired((master, port) => ownAgent(program, master, port));

/** The same around a C++ agent. */
export const startWiredPeer = (path: string): Promise<WiredNode> =>
  wired((master, port) => peerAgent(path, master, port));
