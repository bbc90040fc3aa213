import { create } from "@bufbuild/protobuf";
import { loadAgentFlags } from "../../src/agent/flags/load.ts";
import { Metrics } from "../../src/agent/metrics/registry.ts";
import type { Containerizer, ContainerSpec, ContainerTermination } from "../../src/agent/model/container.ts";
import { type CheckpointFiles, checkpointFiles } from "../../src/agent/model/files.ts";
import { Identity } from "../../src/agent/model/identity.ts";
import { type ComposedAgent, composeAgent } from "../../src/agent/node.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { AgentInfoSchema, ContainerStatusSchema, ExecutorInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { createDetector } from "../../src/zookeeper/detector.ts";

interface FakeContainer {
  readonly spec: ContainerSpec;
  readonly ended: Promise<ContainerTermination>;
  readonly end: (status: number) => void;
  running: boolean;
}

/** What runs on the machine: it outlives agents, as real containers do. Nothing is executed. */
export class FakeMachine {
  readonly containers = new Map<string, FakeContainer>();
  /** Task ids in the order of their starts. */
  readonly started: string[] = [];

  /** The running container of a task. */
  containerOf(taskId: string): FakeContainer | undefined {
    return [...this.containers.values()].find(({ spec, running }) => running && spec.task?.taskId?.value === taskId);
  }

  get running(): number {
    return [...this.containers.values()].filter(({ running }) => running).length;
  }

  /** A container that another agent left running. */
  adopt(containerId: string, executorId: string): void {
    this.#launch({
      containerId,
      task: undefined,
      executor: create(ExecutorInfoSchema, { executorId: { value: executorId } }),
    } as never);
  }

  #launch(spec: ContainerSpec): void {
    const { promise: ended, resolve } = Promise.withResolvers<ContainerTermination>();
    const container: FakeContainer = {
      spec,
      ended,
      running: true,
      end: (status) => {
        container.running = false;
        resolve({ status });
      },
    };
    this.containers.set(spec.containerId, container);
    this.started.push(spec.task?.taskId?.value ?? spec.executor.executorId?.value ?? "");
  }

  /** One agent's view of the machine, until `dead` says that its process is gone. */
  containerizer(dead: () => boolean): Containerizer {
    const find = (id: string): FakeContainer | undefined => (dead() ? undefined : this.containers.get(id));
    const forever = new Promise<never>(() => undefined);
    return {
      name: "mesos",
      killGrace: undefined,
      enforces: { cpus: false, mem: false },
      accepts: () => true,
      launch: async (spec) => {
        if (dead()) return forever;
        this.#launch(spec);
        return { pid: 1_000_000 + this.started.length, status: create(ContainerStatusSchema), data: undefined };
      },
      recover: async (expected) => {
        const ids = new Set(expected.map(({ containerId }) => containerId));
        for (const [id, container] of this.containers) if (!ids.has(id)) container.end(9);
        return new Set([...ids].filter((id) => this.containers.has(id)));
      },
      update: async () => undefined,
      stop: async (id) => find(id)?.end(15),
      destroy: async (id) => find(id)?.end(9),
      wait: async (id) => {
        const container = this.containers.get(id);
        if (container === undefined) throw new Error(`container ${id} is not known`);
        const termination = await container.ended;
        return dead() ? forever : termination;
      },
      usage: async () => undefined,
      status: async () => create(ContainerStatusSchema),
      run: async () => ({ exitCode: 0 }),
      remove: async (id) => {
        if (!dead()) this.containers.delete(id);
      },
      trouble: () => undefined,
      close: async () => undefined,
    };
  }
}

export interface EmbeddedAgentOptions {
  readonly master: string;
  readonly port: number;
  readonly workDir: string;
  readonly machine: FakeMachine;
  readonly files?: CheckpointFiles;
  readonly flags?: readonly string[];
  readonly log?: Logger;
}

/** An agent in the test's own process, on a machine that is not real, with real sockets and real files. */
export class EmbeddedAgent {
  readonly agent: ComposedAgent["agent"];
  readonly identity: Identity;
  readonly registry: ComposedAgent["viewed"]["registry"];
  readonly #process: Process;
  /** Why the agent ended itself, once it did. */
  readonly ended: Promise<string>;
  #dead = false;

  private constructor(
    options: EmbeddedAgentOptions,
    process: Process,
    detector: Awaited<ReturnType<typeof createDetector>>,
  ) {
    const words = [
      `--work_dir=${options.workDir}`,
      `--master=${options.master}`,
      "--registration_backoff_factor=10ms",
      ...(options.flags ?? []),
    ];
    const loaded = loadAgentFlags({ words, environment: {}, readFile: () => "" });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#process = process;
    const send = process.send.bind(process);
    // A process that is gone sends nothing, whatever its code still does.
    Object.assign(process, {
      send: (...words: Parameters<typeof send>) => (this.#dead ? undefined : send(...words)),
    });
    this.identity = new Identity(
      create(AgentInfoSchema, {
        hostname: "127.0.0.1",
        port: options.port,
        checkpoint: true,
        resources: parseResources("cpus:10;mem:10000").toMessages(),
      }),
      systemClock.now(),
    );
    const { agent, viewed } = composeAgent({
      flags: loaded.flags.values,
      environment: { PATH: "/usr/bin:/bin" },
      process,
      detector,
      credential: undefined,
      clock: systemClock,
      log: options.log ?? silentLogger,
      random: () => 0.5,
      files: options.files ?? checkpointFiles,
      identity: this.identity,
      isRoot: false,
      isSecured: false,
      bootId: "boot",
      metrics: new Metrics(systemClock),
      containerizers: [options.machine.containerizer(() => this.#dead)],
      gc: { schedule: () => undefined, scheduleByAge: () => undefined, unschedule: () => undefined },
      health: { start: () => () => undefined },
      createSandbox: () => undefined,
      sandboxes: { attach: () => undefined },
      ended: (_code, why) => resolve(why),
    });
    this.agent = agent;
    this.registry = viewed.registry;
  }

  /** Binds; start() recovers and registers. */
  static async open(options: EmbeddedAgentOptions): Promise<EmbeddedAgent> {
    const process = await Process.start({
      id: "slave(1)",
      bind: { ip: "127.0.0.1", port: options.port },
      advertise: { ip: "127.0.0.1" },
      log: silentLogger,
      clock: systemClock,
    });
    const detector = await createDetector(options.master, { clock: systemClock, log: silentLogger });
    return new EmbeddedAgent(options, process, detector);
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** From now on nothing that the agent does has an effect outside of it. */
  die(): void {
    this.#dead = true;
  }

  /** Dies and frees the port. */
  async kill(): Promise<void> {
    this.die();
    // Lets go of timers. Not waited for: a write that was in progress when it died never ends.
    void this.agent.close().catch(() => undefined);
    await this.#process.close();
  }

  /** Leaves as a program does on SIGTERM. */
  close(): Promise<void> {
    return this.agent.close();
  }
}
