import { create } from "@bufbuild/protobuf";
import { installGauges } from "../../src/agent/agent-view.ts";
import { AttachedFiles } from "../../src/agent/http/files/attached.ts";
import { AttachedSandboxes } from "../../src/agent/http/files/shown.ts";
import { Metrics } from "../../src/agent/metrics/registry.ts";
import { type CheckpointFiles, checkpointFiles } from "../../src/agent/model/files.ts";
import { Identity } from "../../src/agent/model/identity.ts";
import { type ComposedAgent, composeAgent } from "../../src/agent/node.ts";
import { openPages } from "../../src/agent/pages.ts";
import { loadAgentFlags } from "../../src/agent/settings/load.ts";
import { HealthWatch } from "../../src/agent/tasks/health-watch.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import type { Credential } from "../../src/mesos/credential.ts";
import type { MasterDetector } from "../../src/mesos/detector.ts";
import { AgentInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { createDetector } from "../../src/zookeeper/detector.ts";
import type { FakeMachine } from "./fake-machine.ts";

export { FakeMachine } from "./fake-machine.ts";

export interface EmbeddedAgentOptions {
  /** Its address, unless `detector` says who leads. */
  readonly master?: string;
  readonly detector?: MasterDetector;
  readonly port: number;
  readonly workDir: string;
  readonly machine: FakeMachine;
  readonly files?: CheckpointFiles;
  readonly flags?: readonly string[];
  readonly log?: Logger;
  /** The agent's own time; sockets keep the real one. */
  readonly clock?: Clock;
  /** Another one than the last agent's: the machine was rebooted. */
  readonly bootId?: string;
  /** As --resources has them. */
  readonly resources?: string;
  readonly credential?: Credential;
  readonly createSandbox?: (directory: string) => void;
}

/** What becomes of the folders of what is over: nothing is deleted here, it is only written down. */
class KeptGarbage {
  readonly scheduled = new Set<string>();
  /** What unschedule() answers, as long as a folder is being deleted. */
  deleting: Promise<boolean> | undefined;
  readonly schedule = (path: string): void => void this.scheduled.add(path);
  readonly scheduleByAge = (paths: readonly string[]): void => {
    for (const path of paths) this.scheduled.add(path);
  };
  readonly unschedule = (path: string): Promise<boolean> | undefined =>
    this.scheduled.delete(path) ? this.deleting : undefined;
}

/** An agent in the test's own process, on a machine that is not real, with real sockets and real files. */
export class EmbeddedAgent {
  readonly agent: ComposedAgent["agent"];
  readonly identity: Identity;
  /** What its pages read. */
  readonly viewed: ComposedAgent["viewed"];
  readonly metrics: Metrics;
  readonly permissions: ComposedAgent["permissions"];
  readonly garbage = new KeptGarbage();
  readonly #process: Process;
  readonly #health: HealthWatch;
  /** Why the agent ended itself, once it did. */
  readonly ended: Promise<string>;
  /** The exit code that it ended itself with. */
  exitCode: 0 | 1 | undefined;
  #dead = false;

  private constructor(options: EmbeddedAgentOptions, process: Process, detector: MasterDetector) {
    const given = options.flags ?? [];
    const usual = [
      `--work_dir=${options.workDir}`,
      `--master=${options.master ?? "127.0.0.1:5050"}`,
      "--registration_backoff_factor=10ms",
    ];
    const words = [...usual.filter((flag) => !given.some((one) => one.split("=")[0] === flag.split("=")[0])), ...given];
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
    const { clock = systemClock, log = silentLogger, createSandbox } = options;
    this.metrics = new Metrics(clock);
    this.#health = new HealthWatch(clock, log);
    this.identity = new Identity(
      create(AgentInfoSchema, {
        hostname: "127.0.0.1",
        port: options.port,
        checkpoint: true,
        resources: parseResources(options.resources ?? "cpus:10;mem:10000").toMessages(),
      }),
      clock.now(),
    );
    const files = new AttachedFiles();
    const { agent, viewed, endpoint, permissions } = composeAgent({
      flags: loaded.flags.values,
      environment: { PATH: "/usr/bin:/bin" },
      process,
      detector,
      credential: options.credential,
      clock,
      log,
      random: () => 0.5,
      files: options.files ?? checkpointFiles,
      identity: this.identity,
      isRoot: false,
      isSecured: false,
      bootId: options.bootId ?? "boot",
      metrics: this.metrics,
      containerizers: [options.machine.containerizer(() => this.#dead)],
      gc: this.garbage,
      health: this.#health,
      sandboxes: { create: (directory) => createSandbox?.(directory) },
      fetcher: { fetch: async () => undefined },
      shown: new AttachedSandboxes(files),
      ended: (code, why) => {
        this.exitCode = code;
        resolve(why);
      },
    });
    this.agent = agent;
    this.viewed = viewed;
    this.permissions = permissions;
    installGauges(viewed, this.metrics);
    const pages = openPages({
      ...{ flags: loaded.flags, clock, program: "mesos-slave", ui: "/no/page", metrics: this.metrics, files },
      ...{ viewed, endpoint, permissions, pool: { trouble: undefined } },
      glog: { logger: silentLogger, verbosity: 0 },
      // No limit: the agent's time stands still.
      environment: { LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT: "" },
    });
    process.http(pages.handler);
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
    const detector =
      options.detector ?? (await createDetector(options.master ?? "", { clock: systemClock, log: silentLogger }));
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
    await this.#health.close();
  }

  /** Leaves as a program does on SIGTERM. */
  async close(): Promise<void> {
    await this.agent.close();
    await this.#health.close();
  }
}
