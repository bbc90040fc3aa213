import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState, type TaskStatus } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "./free-port.ts";
import { AgentProcess } from "./real-agent.ts";
import { commandTask, TestScheduler } from "./scheduler.ts";

/** The unprivileged users whose tasks attack: Debian has both. */
export const ATTACKER = "nobody";
export const OTHER_USER = "daemon";

export const uidOf = (user: string): number => Number(execFileSync("id", ["-u", user], { encoding: "utf8" }));

/** Attacks need an agent with rights that a task could steal: without root they are skipped, and fail in CI. */
export const canAttack = process.getuid?.() === 0 || Boolean(process.env["CI"]);

/** Whether an unprivileged user gets namespaces of its own here; without them there is nothing to attack with. */
export function hasUserNamespaces(): boolean {
  const words = ["--reuid", ATTACKER, "--regid", "65534", "--clear-groups", "unshare", "-Urm", "true"];
  return spawnSync("setpriv", words).status === 0;
}

/**
 * A real agent that runs as root, a folder that only root may use, and tasks of unprivileged users. To see an attack
 * succeed on another version of the agent: `ATTACKED_AGENT=/path/to/its/src/main/mesos-slave.ts`.
 */
export class AttackedNode {
  readonly agent: AgentProcess;
  /** Root's alone, with the file `secret`. */
  readonly treasure: string;
  /** Everybody may look and write here. */
  readonly open: string;
  readonly base: string;
  readonly #master: LocalMaster;
  readonly #server: Server;
  readonly #folder: string;
  readonly #schedulers: TestScheduler[] = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.end();

  private constructor(master: LocalMaster, agent: AgentProcess, server: Server) {
    this.#master = master;
    this.agent = agent;
    this.#server = server;
    this.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#folder = realpathSync(mkdtempSync(join(tmpdir(), "attacked-")));
    chmodSync(this.#folder, 0o755);
    // Tasks have to find their way to what they attack.
    chmodSync(agent.folder, 0o755);
    this.treasure = join(this.#folder, "treasure");
    this.open = join(this.#folder, "open");
    mkdirSync(this.treasure, { mode: 0o700 });
    mkdirSync(this.open);
    chmodSync(this.open, 0o777);
    writeFileSync(join(this.treasure, "secret"), "secret\n", { mode: 0o600 });
  }

  /** `cache`: the fetcher's cache folder, when it is not one of the agent's. `inherited`: a descriptor that it starts with. */
  static async start(flags: readonly string[] = [], cache?: string, inherited?: number): Promise<AttackedNode> {
    const master = new LocalMaster({ port: 0 });
    await master.start();
    const server = createServer((request, response) => node.answer(request, response));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const program = process.env["ATTACKED_AGENT"];
    const agent = new AgentProcess({
      master: master.url.replace("http://", ""),
      port: await freePort(),
      flags: ["--resources=cpus:100;mem:100000;disk:100000;ports:[31000-32000]", ...flags],
      ...(program !== undefined && { program }),
    });
    const node = new AttackedNode(master, agent, server);
    agent.start([`--fetcher_cache_dir=${cache ?? node.cache}`], { inherited });
    return node;
  }

  get cache(): string {
    return join(this.agent.folder, "cache");
  }

  async scheduler(user = ATTACKER, more: { checkpoint?: boolean } = {}): Promise<TestScheduler> {
    const made = new TestScheduler({ master: this.#master.url.replace("http://", ""), user, ...more });
    this.#schedulers.push(made);
    await made.subscribe();
    return made;
  }

  /** Ends every framework: their tasks go, and so does what they were offered. */
  async endFrameworks(): Promise<void> {
    for (const made of this.#schedulers.splice(0)) await made.teardown();
  }

  /** Runs a task to its end. */
  async run(test: TestScheduler, id: string, script: string, more: object = {}): Promise<TaskStatus> {
    await test.launch([commandTask(id, script, more)]);
    return await test.until(`end of ${id}`, () => test.terminalOf(id));
  }

  /** Starts a task and waits until it runs. */
  async begin(test: TestScheduler, id: string, script: string, more: object = {}): Promise<void> {
    await test.launch([commandTask(id, script, more)]);
    await test.until(`start of ${id}`, () => test.statesOf(id).includes(TaskState.TASK_RUNNING) || undefined);
  }

  /** The newest sandbox of a command task. */
  sandbox(test: TestScheduler, taskId: string): string {
    const agents = join(this.agent.workDir, "slaves");
    const agentId = test.updates[0]?.agentId?.value ?? "";
    const way = ["frameworks", test.frameworkId ?? "", "executors", taskId, "runs/latest"];
    return join(agents, agentId, ...way);
  }

  /** A page of the agent. */
  async get(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.agent.port}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  async stop(): Promise<void> {
    for (const made of this.#schedulers) made.close();
    await this.agent.destroy();
    await this.#master.stop();
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Packs an archive by a script that runs in a folder of its own; returns its bytes' path. */
export function archive(node: AttackedNode, name: string, script: string): string {
  const folder = mkdtempSync(join(node.open, "pack-"));
  execFileSync("sh", ["-ec", script], { cwd: folder });
  const path = join(node.open, name);
  execFileSync("tar", ["-C", folder, "-cf", path, "."]);
  chmodSync(path, 0o644);
  return path;
}
