import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import {
  KillTaskMessageSchema,
  RunTaskGroupMessageSchema,
  RunTaskMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  type ExecutorInfoSchema,
  type FrameworkInfo,
  type FrameworkInfo_Capability_Type,
  FrameworkInfoSchema,
  type MasterInfo,
  type TaskInfoSchema,
  type TaskState,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { EmbeddedAgent, type EmbeddedAgentOptions } from "./embedded-agent.ts";
import { FakeMachine } from "./fake-machine.ts";
import { freePort } from "./free-port.ts";
import { ScriptedDriver } from "./scripted-driver.ts";
import { HttpExecutor } from "./scripted-http-executor.ts";
import { type Init, ScriptedMaster, until } from "./scripted-master.ts";
import { TestClock } from "./test-clock.ts";

export const FRAMEWORK = "F";
export const EXECUTOR = "executor";

export interface FrameworkOptions {
  readonly id?: string;
  readonly user?: string;
  readonly checkpoint?: boolean;
  readonly capabilities?: readonly FrameworkInfo_Capability_Type[];
}

export function framework({ id = FRAMEWORK, user = "u", checkpoint = true, capabilities = [] }: FrameworkOptions = {}) {
  return create(FrameworkInfoSchema, {
    user,
    name: "f",
    id: { value: id },
    checkpoint,
    capabilities: capabilities.map((type) => ({ type })),
  });
}

type TaskInit = Init<typeof TaskInfoSchema>;
type ExecutorInit = Init<typeof ExecutorInfoSchema>;

/** A command task of agent S0. */
export function commandTask(id: string, more: TaskInit = {}): TaskInit {
  const [cpus, mem] = [
    { name: "cpus", type: 0, scalar: { value: 0.1 } },
    { name: "mem", type: 0, scalar: { value: 32 } },
  ];
  const resources = [cpus, mem] as NonNullable<TaskInit["resources"]>;
  return { name: id, taskId: { value: id }, agentId: { value: "S0" }, resources, command: { value: "true" }, ...more };
}

export const executorInfo = (more: ExecutorInit = {}): ExecutorInit => ({
  executorId: { value: EXECUTOR },
  frameworkId: { value: FRAMEWORK },
  command: { value: "driver" },
  ...more,
});

/** A task for an executor of its framework's own. */
export function executorTask(id: string, executor: ExecutorInit = executorInfo()): TaskInit {
  const { command: _none, ...task } = commandTask(id);
  return { ...task, executor };
}

export interface RunOptions {
  readonly framework?: FrameworkInfo;
  /** As masters since 1.5.1 say it; undefined: an older master. Default: true. */
  readonly launchExecutor?: boolean | undefined;
  /** The scheduler driver's address. */
  readonly pid?: string;
  readonly resourceVersion?: Uint8Array;
}

function launchWords({ launchExecutor, resourceVersion }: RunOptions) {
  return {
    ...(launchExecutor !== undefined && { launchExecutor }),
    ...(resourceVersion && { resourceVersionUuids: [{ uuid: { value: resourceVersion } }] }),
  };
}

/**
 * The real agent between a scripted master and scripted executors, on a machine that is not real, in a folder of its own.
 * Its time is `clock`; nothing here waits for real time.
 */
export class AgentUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), "agent-"));
  readonly machine = new FakeMachine();
  readonly clock = new TestClock();
  readonly port: number;
  readonly master: ScriptedMaster;
  #node: EmbeddedAgent | undefined;
  #listener: (master: MasterInfo | undefined) => void = () => undefined;
  readonly #closing: (() => unknown)[] = [];

  private constructor(port: number, master: ScriptedMaster) {
    this.port = port;
    this.master = master;
  }

  static async open(masterOptions: { readonly id?: string; readonly version?: string } = {}): Promise<AgentUnderTest> {
    const port = await freePort();
    return new AgentUnderTest(port, await ScriptedMaster.start(port, masterOptions));
  }

  /** One that a master has given the id S0. */
  static async registered(options: Partial<EmbeddedAgentOptions> = {}): Promise<AgentUnderTest> {
    const test = await AgentUnderTest.open();
    await test.start(options);
    await test.register();
    return test;
  }

  get node(): EmbeddedAgent {
    if (this.#node === undefined) throw new Error("no agent was started");
    return this.#node;
  }

  get workDir(): string {
    return join(this.folder, "work");
  }

  /** Binds and begins to recover; resolves when it is recovered. */
  async start(options: Partial<EmbeddedAgentOptions> = {}): Promise<void> {
    const detector = {
      watch: (listener: (master: MasterInfo | undefined) => void) => {
        this.#listener = listener;
      },
      close: async () => undefined,
    };
    const { port, machine, workDir, clock } = this;
    this.#node = await EmbeddedAgent.open({ port, machine, workDir, clock, detector, ...options });
    await this.#node.agent.start();
  }

  /** A leader is detected, or (undefined) none is any more. */
  lead(master: ScriptedMaster | undefined = this.master): void {
    this.#listener(master?.info);
  }

  loseLeader(): void {
    this.#listener(undefined);
  }

  /** The master leads and answers; resolves when the agent has taken that in. */
  async register(master: ScriptedMaster = this.master): Promise<void> {
    const before = master.announcements.length;
    this.lead(master);
    await this.clock.advance(10);
    await until("announcement after the registration", () => master.announcements.length > before);
    await master.quiet();
  }

  /** The agent's process is killed; tasks run on. */
  async kill(): Promise<void> {
    await this.#node?.kill();
  }

  /** Killed, started again and registered. */
  async restart(options: Partial<EmbeddedAgentOptions> = {}): Promise<void> {
    await this.kill();
    await this.start(options);
    await this.register();
  }

  run(task: TaskInit, options: RunOptions = {}): void {
    const words = { launchExecutor: true, ...options };
    this.master.send(RunTaskMessageSchema, {
      framework: words.framework ?? framework(),
      task,
      ...launchWords(words),
      ...(words.pid !== undefined && { pid: words.pid }),
    } as Init<typeof RunTaskMessageSchema>);
  }

  runGroup(tasks: readonly TaskInit[], options: RunOptions = {}): void {
    const words = { launchExecutor: true, ...options };
    this.master.send(RunTaskGroupMessageSchema, {
      framework: words.framework ?? framework(),
      executor: executorInfo(),
      taskGroup: { tasks: [...tasks] },
      ...launchWords(words),
    } as Init<typeof RunTaskGroupMessageSchema>);
  }

  killTask(id: string, gracePeriod?: number, frameworkId = FRAMEWORK): void {
    this.master.send(KillTaskMessageSchema, {
      frameworkId: { value: frameworkId },
      taskId: { value: id },
      ...(gracePeriod !== undefined && {
        killPolicy: { gracePeriod: { nanoseconds: BigInt(gracePeriod) * 1_000_000n } },
      }),
    });
  }

  /** Launches a command task and waits until it runs. */
  async running(
    id: string,
    state: TaskState,
    options: RunOptions = {},
    task: TaskInit = commandTask(id),
  ): Promise<void> {
    this.run(task, options);
    await this.master.status(id, state);
  }

  /** A driver executor that has not registered yet. */
  async driver(executorId = EXECUTOR, frameworkId = FRAMEWORK): Promise<ScriptedDriver> {
    const driver = await ScriptedDriver.start({ agent: `slave(1)@127.0.0.1:${this.port}`, frameworkId, executorId });
    this.#closing.push(() => driver.close());
    return driver;
  }

  httpExecutor(frameworkId = FRAMEWORK): HttpExecutor {
    const executor = new HttpExecutor(this.port, frameworkId);
    this.#closing.push(() => executor.close());
    return executor;
  }

  /** Something that is closed with the rest. */
  closing<T extends { close(): unknown }>(part: T): T {
    this.#closing.push(() => part.close());
    return part;
  }

  /** Whether something lies in the work_dir, by a path with `*` for ids that nobody knows. */
  has(...path: readonly string[]): boolean {
    return found(this.workDir, path).length > 0;
  }

  /** The existing paths that such a path stands for. */
  paths(...path: readonly string[]): string[] {
    return found(this.workDir, path);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
    await this.kill();
    await this.master.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function found(folder: string, [name, ...rest]: readonly string[]): string[] {
  if (name === undefined) return existsSync(folder) ? [folder] : [];
  if (name !== "*") return found(join(folder, name), rest);
  return existsSync(folder) ? readdirSync(folder).flatMap((entry) => found(join(folder, entry), rest)) : [];
}
