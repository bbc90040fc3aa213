import { clone, create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { Logger } from "../base/log.ts";
import type { Process } from "../libprocess/process.ts";
import type { MasterDetector } from "../mesos/detector.ts";
import { type FrameworkToExecutorMessage, UpdateSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { AgentIDSchema, type AgentInfo, AgentInfoSchema, type MasterInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "../mesos/ids.ts";
import { forward, registerMessage, reregisterMessage } from "./announcements.ts";
import { readState } from "./checkpoint/state.ts";
import { CheckpointStore } from "./checkpoint/store.ts";
import { limitsJudge, resize } from "./container-limits.ts";
import { Draining } from "./draining.ts";
import type { AgentFlags } from "./flags/table.ts";
import { FrameworkBook } from "./frameworks/book.ts";
import type { AgentPhase, FrameworksContext } from "./frameworks/context.ts";
import { Frameworks } from "./frameworks/frameworks.ts";
import { StatusIntake } from "./frameworks/intake.ts";
import { installMessages, partiesOf } from "./messages.ts";
import { endCounter } from "./metrics/from-model.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Containerizer } from "./model/container.ts";
import type { CheckpointFiles } from "./model/files.ts";
import { Paths } from "./model/paths.ts";
import type { ExecutorRecord, FrameworkRecord } from "./model/records.ts";
import { receptionsOf } from "./model/senders.ts";
import type { Operations } from "./operations/operations.ts";
import { recover } from "./recover.ts";
import { comesBackAsNew } from "./registration/after-shutdown.ts";
import { advertises } from "./registration/capabilities.ts";
import type { Credential } from "./registration/credential.ts";
import { LeadingMaster } from "./registration/leading-master.ts";
import { askMasterVersion } from "./registration/master-version.ts";
import { Registration } from "./registration/registration.ts";
import type { Reservations } from "./reservations/reservations.ts";
import { buildResourceChanges, updateAgentMessage } from "./resource-changes.ts";
import { StatusUpdates } from "./status-updates/streams.ts";
import { buildExecutors, type ExecutorParts, type Executors, launchPlan } from "./wiring.ts";

/** What `main/` decides before there is an agent. */
export interface AgentOptions {
  readonly flags: AgentFlags;
  /** The agent's environment, of which tasks get very little. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly process: Process;
  readonly detector: MasterDetector;
  readonly credential: Credential | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly files: CheckpointFiles;
  /** Hostname, port, resources, attributes, domain; no id. */
  readonly info: AgentInfo;
  readonly isRoot: boolean;
  /** Peers are spoken to by TLS: a master's plain pages are not there. */
  readonly isSecured: boolean;
  /** The kernel's boot id: another one means that the machine was rebooted. */
  readonly bootId: string;
  readonly metrics: Metrics;
  readonly containerizers: readonly Containerizer[];
  readonly gc: FrameworksContext["gc"];
  readonly health: ExecutorParts["health"];
  readonly createSandbox: ExecutorParts["createSandbox"];
  readonly attach: (executor: ExecutorRecord) => void;
  /** The agent is done: 0 after a shutdown that was asked for, 1 when it cannot go on. */
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

/** The Mesos agent: joins the rooms. What each does is in the rooms; here is only what flows between them. */
export class Agent {
  readonly paths: Paths;
  readonly book: FrameworkBook;
  readonly updates: StatusUpdates;
  readonly reservations: Reservations;
  readonly operations: Operations;
  readonly draining: Draining;
  /** Messages of the master pass it in order: it is shut while what they depend on is being written down. */
  readonly gate = new Gate();
  readonly registration: Registration;
  readonly frameworks: Frameworks;
  readonly options: AgentOptions;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly #store: CheckpointStore;
  readonly #intake: StatusIntake;
  readonly #executors: Executors;
  /** Changes with every start: launches that were offered before are refused (mesos-wire §3.11). */
  readonly resourceVersion = newUuid();
  #phase: AgentPhase = "RECOVERING";
  #info: AgentInfo;
  readonly #leading: LeadingMaster;
  #recoverySeconds: number | undefined;
  #checkpointTrouble: string | undefined;
  /** The id ends with this process. */
  #isLastOfItsId = false;

  constructor(options: AgentOptions) {
    const { clock, log, flags, files, process } = options;
    this.options = options;
    this.startedAt = clock.now();
    this.#info = options.info;
    this.paths = new Paths(flags.work_dir);
    this.book = new FrameworkBook({
      frameworks: 50,
      executorsPerFramework: flags.max_completed_executors_per_framework,
      tasksPerExecutor: 200,
    });
    this.#store = new CheckpointStore(files, this.paths);
    this.#leading = new LeadingMaster({
      log: log.named("slave.cpp"),
      ask: async (master) => (options.isSecured ? undefined : await askMasterVersion(master)),
    });
    this.updates = new StatusUpdates({
      clock,
      files,
      log: log.named("status_update_manager.cpp"),
      forward: (update) => forward(this, update),
      writeTrouble: (problem) => {
        this.#checkpointTrouble = problem;
      },
    });
    ({ reservations: this.reservations, operations: this.operations } = buildResourceChanges(this, this.#store));
    this.draining = new Draining({
      clock,
      log: log.named("slave.cpp"),
      checkpoint: (config) => this.#store.drain(this.agentId ?? "", config),
      busy: () => this.book.active.size > 0 || this.operations.count > 0,
      kill: (config) => this.frameworks.drain(config),
    });
    this.#intake = new StatusIntake({
      clock,
      log,
      agentId: () => this.agentId ?? "",
      agentIp: () => process.self.ip,
      drain: () => this.draining.config,
      updatesPath: (framework, executor, taskId) => this.#updatesPath(framework, executor, taskId),
      enqueue: (update, taskId, path) => this.updates.add(update, taskId, path),
      counted: (status) => {
        const ended = endCounter(status.state);
        options.metrics.count("slave/valid_status_updates");
        if (ended !== undefined) options.metrics.count(ended);
      },
    });
    const context = this.#context();
    this.frameworks = new Frameworks(context, launchPlan);
    this.#executors = buildExecutors({
      ...options,
      agent: this,
      intake: this.#intake,
      store: this.#store,
      agentId: () => this.agentId ?? "",
      agentInfo: () => this.#info,
      events: this.frameworks,
      paths: this.paths,
    });
    process.receive(receptionsOf(partiesOf(this, this.#executors.drivers)));
    this.registration = this.#register();
    installMessages(this);
  }

  get agentId(): string | undefined {
    return this.#info.id?.value;
  }

  get info(): AgentInfo {
    return this.#info;
  }

  /** The id that the agent has from now on, for ever. */
  adopt(id: string): void {
    this.#info = clone(AgentInfoSchema, this.#info);
    this.#info.id = create(AgentIDSchema, { value: id });
  }

  get phase(): AgentPhase {
    return this.#phase;
  }

  get master(): MasterInfo | undefined {
    return this.#leading.info;
  }

  /** undefined until recovery is done. */
  get recoverySeconds(): number | undefined {
    return this.#recoverySeconds;
  }

  /** Why checkpoints cannot be written now, if so. */
  get checkpointTrouble(): string | undefined {
    return this.#checkpointTrouble;
  }

  #context(): FrameworksContext {
    const { clock, log, gc, attach } = this.options;
    return {
      clock,
      log: log.named("slave.cpp"),
      book: this.book,
      intake: this.#intake,
      checkpoints: this.#store,
      paths: this.paths,
      agentId: () => this.agentId ?? "",
      phase: () => this.#phase,
      send: (schema, message) => this.send(schema, message),
      control: (executor) => this.#executors.control(executor),
      gc,
      updates: this.updates,
      admission: {
        draining: () => this.draining.config !== undefined,
        staleResources: (versions) =>
          versions.some(
            ({ resourceProviderId, uuid }) =>
              resourceProviderId === undefined &&
              Buffer.compare(uuid?.value ?? new Uint8Array(), this.resourceVersion) !== 0,
          ),
        knows: (resources) => this.reservations.knows(resources),
        limitsProblem: limitsJudge(this.options.flags),
      },
      killGrace: (task, executor) => this.#executors.killGrace(task, executor),
      idle: () => this.#idle(),
      resize: (executor) => resize(this.options, executor),
      attach,
    };
  }

  #updatesPath(framework: FrameworkRecord, executor: ExecutorRecord | undefined, taskId: string): string | undefined {
    if (!framework.info.checkpoint || executor === undefined) return undefined;
    const { frameworkId, executorId, containerId } = executor;
    return this.paths.meta.taskUpdates({ agentId: this.agentId ?? "", frameworkId, executorId, containerId }, taskId);
  }

  // ---- the master

  /** To the master; dropped, with a line in the log, when there is none. */
  send<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
    const { masterPid } = this.registration;
    if (masterPid === undefined) this.options.log.warn(`Dropping ${schema.typeName}: there is no master`);
    else this.options.process.send(masterPid, schema, message);
  }

  #register(): Registration {
    const { process, detector, clock, log, random, credential, flags } = this.options;
    return new Registration({
      process,
      detector,
      clock,
      log: log.named("slave.cpp"),
      random,
      credential,
      backoffFactor: flags.registration_backoff_factor,
      authentication: {
        minimum: flags.authentication_timeout_min,
        maximum: flags.authentication_timeout_max,
        factor: flags.authentication_backoff_factor,
      },
      registerMessage: () => registerMessage(this),
      reregisterMessage: () => reregisterMessage(this),
      agentId: () => this.agentId,
      events: {
        detected: (master) => this.#leading.detected(master),
        registered: (id, _message, duplicate) => this.#registered(id, duplicate),
        reregistered: (message, duplicate) => {
          if (duplicate) this.#announce();
          else this.#running();
          this.frameworks.reconcile(message.reconciliations);
        },
        disconnected: () => {
          if (this.#phase === "RUNNING") this.#phase = "DISCONNECTED";
          this.#leading.lost();
          this.updates.pause();
          this.operations.pause();
        },
        shutdown: (message) => this.shutdown(`the master asked for it: ${message}`),
        refused: (_refusal, why) => this.options.ended(1, why),
      },
    });
  }

  /** The id is written down before anything depends on it. */
  #registered(id: string, duplicate: boolean): void {
    if (duplicate && this.agentId === id) {
      this.#announce();
      return;
    }
    const { log, ended } = this.options;
    this.adopt(id);
    const written = this.#store.agent(this.#info).then(
      () => {
        log.info(`Registered with the master; given agent ID ${id}`);
        this.#running();
      },
      (error: unknown) => {
        ended(1, `cannot write the agent's id to ${this.paths.meta.agentInfo(id)}: ${messageOf(error)}`);
      },
    );
    this.gate.hold(written);
  }

  #running(): void {
    if (this.#phase === "TERMINATING") return;
    this.#phase = "RUNNING";
    this.#leading.reached();
    this.#announce();
    this.operations.resume();
    this.updates.resume();
  }

  /** After every word of the master that it has this agent. */
  #announce(): void {
    if (advertises("RESOURCE_PROVIDER")) this.send(UpdateSlaveMessageSchema, updateAgentMessage(this));
  }

  /** Runs `job` now, or as soon as what earlier ones changed is on disk: launches build on it. */
  whenAdmitted(job: () => void): void {
    this.gate.pass(() => {
      try {
        job();
      } catch (error) {
        this.options.log.error(`Handling a message of the master failed: ${messageOf(error)}`);
      }
    });
  }

  /** A framework's message to one of its executors: unreliable, accepted from anybody, as drivers send it directly. */
  frameworkMessage({ frameworkId, executorId, data }: FrameworkToExecutorMessage): void {
    const executor = this.book.active.get(frameworkId?.value ?? "")?.executors.get(executorId?.value ?? "");
    if (executor?.state === "RUNNING") this.#executors.control(executor).message(executor, data);
    else this.options.log.warn(`Dropping a framework message: executor '${executorId?.value}' does not run here`);
  }

  /** `POST /api/v1/executor` */
  get executorEndpoint(): Executors["endpoint"] {
    return this.#executors.endpoint;
  }

  // ---- start and end

  /** Recovers, then looks for a master. Throws a UserError when it cannot go on from what it finds. */
  async start(): Promise<void> {
    const { log, flags } = this.options;
    log.info(`Recovering state from '${this.paths.meta.root()}'`);
    const state = readState({ paths: this.paths, log, strict: flags.strict });
    this.options.metrics.count("slave/recovery_errors", state.errors);
    const { bootId } = this.options;
    await recover({ agent: this, state, bootId, store: this.#store, executors: this.#executors });
    this.#recoverySeconds = (this.options.clock.now() - this.startedAt) / 1000;
    log.info("Finished recovery");
    await this.#store.bootId(bootId);
    if (flags.recover === "cleanup") {
      this.shutdown("--recover=cleanup ends what an earlier agent left");
      return;
    }
    this.#phase = "DISCONNECTED";
    this.registration.start();
  }

  /** Who tasks run as; undefined: the agent's own user. */
  userOf(framework: FrameworkRecord, executor: ExecutorRecord): string | undefined {
    if (!this.options.flags.switch_user || !this.options.isRoot) return undefined;
    return executor.info.command?.user || framework.info.user || undefined;
  }

  /** Ends everything that runs here, then the agent. There is no way back. */
  shutdown(why: string, { unregister = false } = {}): void {
    if (this.#phase === "TERMINATING") return;
    this.options.log.warn(`Shutting down: ${why}`);
    this.#isLastOfItsId = comesBackAsNew(this.master?.version, why);
    this.registration.terminate({ unregister });
    this.#phase = "TERMINATING";
    this.updates.pause();
    this.operations.pause();
    this.frameworks.shutdownAll();
  }

  #idle(): void {
    if (this.#phase !== "TERMINATING") {
      void this.draining.check();
      return;
    }
    if (this.#isLastOfItsId && this.agentId !== undefined) this.#forgetId();
    this.options.ended(0, "nothing runs here any more");
  }

  #forgetId(): void {
    const { log } = this.options;
    try {
      this.#store.forgetAgent();
      log.info(`This master takes ${this.agentId} back no more: the next start registers as a new agent`);
    } catch (error) {
      log.error(`Cannot remove ${this.paths.meta.latestAgent()}: ${messageOf(error)}; remove it before the next start`);
    }
  }

  /** Lets go: tasks run on, whoever starts next finds them. Resolves when what was promised is on disk. */
  async close(): Promise<void> {
    this.#executors.close();
    await this.registration.close();
    await this.updates.close();
    await this.operations.close();
    for (const containerizer of this.options.containerizers) await containerizer.close();
    await this.options.process.close();
  }
}
