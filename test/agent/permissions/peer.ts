/**
 * The table on a C++ agent 1.11.0 behind a C++ master: prints where its answers are others than the table says, and ends
 * with 1 then. What is not Mesos' is left out.
 *
 *   npm run permissions -- --peer=FOLDER [--print]
 *
 * FOLDER has the programs mesos-master and mesos-agent, built outside of this project (`.libs` in it is searched for their
 * libraries). `--print` writes the table as the C++ agent answers it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { Offer_Operation_Type, TaskInfoSchema, TaskState } from "../../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type } from "../../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { freePort } from "../../support/free-port.ts";
import { TestScheduler } from "../../support/scheduler.ts";
import { answersTo, authorizationOf, CREDENTIALS, deeds, PRINCIPALS, type Target } from "./deeds.ts";
import { type Answers, expected, printed } from "./expected.ts";
import { type AclFile, files } from "./files.ts";

const PATIENCE = 60_000;

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + PATIENCE; ; ) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
    await pause(200);
  }
}

const isOk = async (url: string, headers: Record<string, string> = {}): Promise<true | undefined> =>
  (await fetch(url, { headers })).ok ? true : undefined;

class Peer {
  readonly #folder: string;
  readonly #home = mkdtempSync(join(tmpdir(), "peer-"));
  readonly #running = new Set<ChildProcess>();
  readonly #schedulers: TestScheduler[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  #start(program: string, ...flags: string[]): ChildProcess {
    const output = openSync(join(this.#home, `${program}.log`), "a");
    const child = spawn(join(this.#folder, program), flags, {
      stdio: ["ignore", output, output],
      env: { ...process.env, LD_LIBRARY_PATH: join(this.#folder, ".libs") },
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }

  async master(): Promise<string> {
    const port = await freePort();
    this.#start("mesos-master", "--ip=127.0.0.1", `--port=${port}`, `--work_dir=${join(this.#home, "master")}`);
    await until("the master", () => isOk(`http://127.0.0.1:${port}/version`));
    return `127.0.0.1:${port}`;
  }

  async agent(master: string, port: number, { acls, realms }: AclFile): Promise<() => Promise<void>> {
    const [rules, passwords] = [join(this.#home, "acls"), join(this.#home, "credentials")];
    writeFileSync(rules, JSON.stringify(acls ?? {}));
    writeFileSync(passwords, JSON.stringify(CREDENTIALS), { mode: 0o600 });
    const child = this.#start(
      "mesos-agent",
      ...["--ip=127.0.0.1", `--port=${port}`, `--master=${master}`, `--work_dir=${join(this.#home, "agent")}`],
      ...["--resources=cpus:8;mem:4096;disk:1024", `--launcher_dir=${this.#folder}`, "--launcher=posix"],
      ...["--isolation=posix/cpu,posix/mem", `--runtime_dir=${join(this.#home, "run")}`, "--no-systemd_enable_support"],
      ...["--no-switch_user", `--log_dir=${join(this.#home, "log")}`, "--no-hostname_lookup"],
      ...(acls === undefined ? [] : [`--acls=${rules}`]),
      ...(realms
        ? [`--http_credentials=${passwords}`, "--authenticate_http_readonly", "--authenticate_http_readwrite"]
        : []),
    );
    const authorization = authorizationOf("ops") ?? "";
    await until("the agent", () => isOk(`http://127.0.0.1:${port}/state`, { authorization }));
    return async () => {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    };
  }

  /** A task that stays, of a framework of that user. */
  async task(master: string, user: string): Promise<void> {
    const scheduler = new TestScheduler({ master, user, name: user, checkpoint: true, failoverTimeout: 3_600 });
    this.#schedulers.push(scheduler);
    await scheduler.subscribe();
    const offer = await until(`an offer for ${user}`, async () => scheduler.offers.at(-1));
    const task = create(TaskInfoSchema, {
      name: user,
      taskId: { value: user },
      ...(offer.agentId && { agentId: offer.agentId }),
      command: { value: "echo here; sleep 10000" },
      resources: [
        { name: "cpus", type: 0, scalar: { value: 0.1 } },
        { name: "mem", type: 0, scalar: { value: 32 } },
      ],
    });
    await scheduler.accept([offer], [{ type: Offer_Operation_Type.LAUNCH, launch: { taskInfos: [task] } }]);
    await until(`the task of ${user}`, async () =>
      scheduler.updates.some(({ state }) => state === TaskState.TASK_RUNNING) ? true : undefined,
    );
    // What is offered next is for the other.
    await scheduler.call({ type: Call_Type.SUPPRESS });
    await scheduler.accept([...scheduler.offers], []);
  }

  target(port: number): Target {
    const slaves = join(this.#home, "agent", "slaves");
    const [agent = ""] = readdirSync(slaves);
    const frameworks = join(slaves, agent, "frameworks");
    const found = Object.fromEntries(
      readdirSync(frameworks).map((framework) => {
        const executors = join(frameworks, framework, "executors");
        const [executor = ""] = readdirSync(executors);
        const runs = join(executors, executor, "runs");
        const run = readdirSync(runs).find((name) => name !== "latest") ?? "";
        return [executor, { sandbox: join(runs, run), container: run }];
      }),
    );
    const { alice, bob } = found;
    if (alice === undefined || bob === undefined) throw new Error("the sandboxes are not there");
    return {
      port,
      sandboxes: { alice: alice.sandbox, bob: bob.sandbox },
      containers: { alice: alice.container, bob: bob.container },
    };
  }

  close(): void {
    for (const scheduler of this.#schedulers) scheduler.close();
    for (const child of this.#running) child.kill("SIGTERM");
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
}

async function ask(folder: string): Promise<Answers> {
  const peer = new Peer(folder);
  try {
    const master = await peer.master();
    const port = await freePort();
    const stop = await peer.agent(master, port, { name: "", acls: undefined, realms: false });
    for (const user of ["alice", "bob"]) await peer.task(master, user);
    await stop();
    const answers = new Map<string, ReadonlyMap<string, readonly string[]>>();
    for (const file of files) {
      const end = await peer.agent(master, port, file);
      const rows = new Map<string, readonly string[]>();
      for (const principal of PRINCIPALS)
        rows.set(principal, await answersTo(principal, peer.target(port), { isPeer: true }));
      answers.set(file.name, rows);
      await end();
      console.error(`asked with the file '${file.name}'`);
    }
    return answers;
  } finally {
    peer.close();
  }
}

function compare(theirs: Answers): number {
  let [rows, differing] = [0, 0];
  const own = expected();
  for (const { name } of files) {
    for (const principal of PRINCIPALS) {
      for (const [index, deed] of deeds.entries()) {
        if (deed.own) continue;
        rows++;
        const [here, there] = [own, theirs].map((each) => each.get(name)?.get(principal)?.[index]);
        if (here === there) continue;
        differing++;
        console.log(`${name} · ${principal} · ${deed.name}: C++ ${there}, the table ${here}`);
      }
    }
  }
  console.log(`${rows} rows, ${differing} differ`);
  return differing;
}

const { values } = parseArgs({ options: { peer: { type: "string" }, print: { type: "boolean" } } });
if (values.peer === undefined) {
  console.error("--peer=FOLDER is missing: the folder of a C++ mesos-master and mesos-agent");
  process.exitCode = 2;
} else {
  const theirs = await ask(values.peer);
  if (values.print) console.log(printed(theirs));
  else process.exitCode = compare(theirs) === 0 ? 0 : 1;
}
