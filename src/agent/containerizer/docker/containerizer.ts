import { every, type Timer } from "../../../base/clock.ts";
import { within } from "../../../base/deadline.ts";
import { messageOf } from "../../../base/errors.ts";
import type { EngineEvent } from "../../../docker/engine.ts";
import { isDaemonTrouble } from "../../../docker/errors.ts";
import { ImagePulls, type PullReport } from "../../../docker/pulls.ts";
import { EngineSupervisor } from "../../../docker/supervisor.ts";
import {
  type CommandInfo,
  type ContainerInfo,
  ContainerInfo_Type,
  type ContainerStatus,
  type Resource,
  type ResourceStatistics,
  type Value_Scalar,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { secretNames } from "../../../mesos/secrets.ts";
import { DiskWatch, diskUsage } from "../../isolators/disk.ts";
import type {
  CheckpointedContainer,
  CommandResult,
  Containerizer,
  ContainerSpec,
  ContainerTermination,
  LogParts,
  LogWindows,
  StartedContainer,
} from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { Reach } from "../../model/reach.ts";
import { Launches } from "../launches.ts";
import { ProcTable } from "../mesos/process-table.ts";
import { label } from "./identity.ts";
import { ImageCollector } from "./image-collection.ts";
import { checkSpec, type Launched, type LaunchTools, launch } from "./launch.ts";
import { followTasks, limitMemory } from "./limits.ts";
import { type DockerContainerizerOptions, defaults } from "./options.ts";
import { ContainerOutput } from "./output.ts";
import { OwnLogs } from "./own-log.ts";
import { Reaper } from "./reaper.ts";
import { endOrphans, isAlive, locate, provenOurs, recoveryPlan, tellEnds } from "./recovery.ts";
import { runInside } from "./run-inside.ts";
import { containerStatus, inspectData, runningLabels } from "./running.ts";
import { SandboxCheck } from "./sandbox-check.ts";
import { DockerSessions } from "./sessions/sessions.ts";
import { StateFiles } from "./state-files.ts";
import { measured } from "./statistics.ts";
import { sweep } from "./sweep.ts";
import { type Subject, TrackedContainer } from "./tracked-container.ts";

/** Containers whose death was not heard of are found so often (milliseconds). */
const SWEEP_EVERY = 30_000;
/** Milliseconds that one container may hold up the recovery of all. */
const RECOVERY = 30_000;

/** Runs tasks and executors as Docker containers, which outlive the agent and its own container. */
export class DockerContainerizer implements Containerizer {
  readonly name = "docker";
  readonly killGrace: number | undefined;
  readonly enforces = { cpus: true, mem: true };
  readonly sessions: DockerSessions;
  readonly #options: DockerContainerizerOptions;
  readonly #state: StateFiles;
  readonly #agentKey: string;
  readonly #supervisor: EngineSupervisor;
  readonly #pulls: ImagePulls;
  readonly #reaper: Reaper;
  readonly #collector: ImageCollector | undefined;
  readonly #sandboxCheck: SandboxCheck;
  readonly #disk: DiskWatch | undefined;
  readonly #launching = new Launches();
  readonly #tracked = new Map<string, TrackedContainer>();
  readonly #ownLogs: OwnLogs;
  readonly #removeAtEnd = new Set<string>();
  readonly #sweeper: Timer;
  #hostMemory: number | undefined;

  private constructor(options: DockerContainerizerOptions, state: StateFiles, agentKey: string) {
    const { engine, clock, log } = options;
    this.#options = options;
    this.killGrace = options.stopTimeout;
    this.#state = state;
    this.#agentKey = agentKey;
    this.#supervisor = new EngineSupervisor(engine, [`${label.agentKey}=${agentKey}`], clock, log);
    this.#pulls = new ImagePulls(engine, clock, log);
    this.#ownLogs = new OwnLogs(engine, clock);
    this.#reaper = new Reaper(engine, options.removeDelay ?? defaults.removeDelay, clock, log);
    const sandboxDirectory = options.sandboxDirectory ?? defaults.sandboxDirectory;
    this.#sandboxCheck = new SandboxCheck(engine, options.workDir, sandboxDirectory);
    const { imageCollection, diskQuota } = options;
    // The sandbox is the task's, and so is what it writes anywhere else in its container.
    const measure = async (sandbox: string, id: string): Promise<number> =>
      (await diskUsage(sandbox)) + (await this.#layerBytes(id));
    this.#disk = diskQuota && new DiskWatch({ clock, log, ...diskQuota, measure });
    this.#collector = imageCollection && new ImageCollector(engine, imageCollection, clock, log);
    const { switchesUser = false, processTable: table = new ProcTable() } = options;
    this.sessions = new DockerSessions({ engine, clock, log, containers: this.#tracked, state, table, switchesUser });
    this.#sweeper = every(clock, SWEEP_EVERY, () => {
      if (this.#supervisor.trouble === undefined) void sweep(this.#tracked.values(), engine, log);
    });
  }

  /** Opens the state directory and begins to watch the daemon, which need not be there yet. */
  static async open(options: DockerContainerizerOptions): Promise<DockerContainerizer> {
    const state = new StateFiles(options.stateDirectory);
    const containerizer = new DockerContainerizer(options, state, await state.agentKey());
    containerizer.#supervisor.start({
      event: (event) => containerizer.#onEvent(event),
      healed: () => containerizer.#tracked.forEach((tracked) => void tracked.healed()),
    });
    return containerizer;
  }

  get kept(): DockerSessions {
    return this.sessions;
  }

  accepts(container: ContainerInfo | undefined): boolean {
    return container?.type === ContainerInfo_Type.DOCKER;
  }

  async launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer> {
    const { containerId } = spec;
    if (this.#launching.has(containerId) || this.#tracked.has(containerId)) {
      throw TaskFailure.launch(`container ${containerId} is there already`);
    }
    try {
      return await this.#launching.run(
        containerId,
        signal,
        async (signals) => this.#begin(spec, await launch(spec, this.#tools(spec), signals)),
        (grace) => void this.#tracked.get(containerId)?.stop(grace),
      );
    } catch (error) {
      await this.#state.forget(containerId);
      throw error;
    }
  }

  check(spec: ContainerSpec): Promise<void> {
    return checkSpec(spec, this.#tools(spec));
  }

  #tools(spec: ContainerSpec): LaunchTools {
    return {
      options: this.#options,
      engine: this.#options.engine,
      pulls: this.#pulls,
      collector: this.#collector,
      agentKey: this.#agentKey,
      isDaemonKnown: () => this.#supervisor.isKnown || this.#tracked.size > 0,
      hostMemory: () => this.#memoryOfHost(),
      openOutput: (details: { id: string; tty: boolean; attach: boolean }) => this.#openOutput(spec, details, true),
      checkSandbox: (engineId: string) => this.#sandboxCheck.pass(engineId, spec.sandbox),
    };
  }

  /** From here on the container is followed to its end. */
  #begin(spec: ContainerSpec, { plan, details, output }: Launched): StartedContainer {
    if (plan.removeAtEnd) this.#removeAtEnd.add(spec.containerId);
    const tracked = this.#track(spec);
    tracked.started(details, output);
    const { log } = this.#options;
    log.info(`Container ${spec.containerId} runs as ${details.name} (${details.id.slice(0, 12)})`);
    return {
      pid: details.state.pid,
      status: containerStatus(spec.containerId, details, spec.container),
      data: inspectData(details, secretNames(spec.command.environment)),
      labels: runningLabels(details),
    };
  }

  #track(subject: Subject): TrackedContainer {
    const { containerId } = subject;
    const { engine, clock, log } = this.#options;
    const tracked = new TrackedContainer({
      subject,
      engine,
      state: this.#state,
      clock,
      log,
      locate: () =>
        locate(engine, containerId, { agentKey: this.#agentKey, ownContainerId: this.#options.ownContainerId }),
      openOutput: ({ id, tty }) => this.#openOutput(subject, { id, tty, attach: false }, false),
      onEnd: (engineId, { finishedAt }) => {
        this.#disk?.cleanup(containerId);
        if (engineId === undefined) return;
        const endedAt = finishedAt === undefined ? undefined : Date.parse(finishedAt);
        this.#reaper.add(engineId, endedAt, this.#removeAtEnd.delete(containerId));
      },
    });
    this.#tracked.set(containerId, tracked);
    this.#disk?.prepare(subject, (limitation) => void tracked.limit(limitation));
    return tracked;
  }

  async #layerBytes(containerId: string): Promise<number> {
    const { engineId, isOver } = this.#known(containerId);
    return engineId === undefined || isOver ? 0 : await this.#options.engine.layerBytes(engineId);
  }

  async #openOutput(
    subject: Pick<Subject, "containerId" | "sandbox">,
    details: { readonly id: string; readonly tty: boolean; readonly attach: boolean },
    isNew: boolean,
  ): Promise<ContainerOutput> {
    const { containerId, sandbox } = subject;
    let tracked: TrackedContainer | undefined;
    return ContainerOutput.open({
      engine: this.#options.engine,
      engineId: details.id,
      containerId,
      sandbox,
      tty: details.tty,
      attach: details.attach,
      cursor: isNew ? undefined : await this.#state.cursor(containerId),
      isNew,
      rotation: this.#options.rotation ?? defaults.rotation,
      save: (cursor) => this.#state.saveCursor(containerId, cursor),
      onQuiet: () => {
        tracked ??= this.#tracked.get(containerId);
        void tracked?.check();
      },
      clock: this.#options.clock,
      log: this.#options.log,
    });
  }

  async recover(expected: readonly CheckpointedContainer[]): Promise<ReadonlySet<string>> {
    const ours = expected.filter(({ container }) => this.accepts(container));
    const ids = new Set(ours.map(({ containerId }) => containerId));
    for (const subject of ours) await this.#track(subject).resume();
    try {
      await this.#settleContainers(ids);
    } catch (error) {
      if (!isDaemonTrouble(error)) throw error;
      // None is lost: each is looked for when the daemon is back.
      this.#options.log.warn(`Docker containers cannot be recovered yet: ${messageOf(error)}`);
      for (const tracked of this.#tracked.values()) void tracked.check();
      return ids;
    }
    for (const id of await this.#state.known()) if (!ids.has(id)) await this.#state.forget(id);
    return new Set(ours.map(({ containerId }) => containerId).filter((id) => this.#tracked.has(id)));
  }

  /** Adopts what is expected, ends orphans of ours, and plans the removal of our dead. */
  async #settleContainers(expected: ReadonlySet<string>): Promise<void> {
    const { engine, workDir, ownContainerId, log } = this.#options;
    const context = { agentKey: this.#agentKey, expected, ownContainerId };
    const plan = recoveryPlan(await engine.list(), context);
    const checks = [...expected].map((id) => this.#tracked.get(id)?.check());
    const orphans = [...plan.orphans];
    for (const found of plan.doubtful) {
      if ((await provenOurs(engine, found, workDir)) === undefined) continue;
      if (isAlive(found)) orphans.push(found);
      else this.#reaper.add(found.engineId, undefined);
    }
    const buried = tellEnds(engine, plan.dead, (id, finishedAt) => this.#reaper.add(id, finishedAt));
    const ended = endOrphans(engine, orphans, { kill: this.#options.killOrphans ?? defaults.killOrphans, log });
    // One that takes longer is looked at, or ended, in the background: it may not keep the agent from coming back.
    const { clock } = this.#options;
    await within(clock, RECOVERY, Promise.all([buried, ended]), undefined);
    const late = await Promise.all(
      checks.map((check) => within(clock, RECOVERY, Promise.resolve(check), "late" as const)),
    );
    const left = Promise.all([...expected].map((id) => this.sessions.endLeft(id)));
    await within(clock, RECOVERY, left, undefined);
    const count = late.filter((result) => result === "late").length;
    if (count > 0) log.warn(`${count} containers could not be looked at within ${RECOVERY / 1000} s; going on`);
  }

  async update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): Promise<void> {
    const isHeld = await followTasks(this.#options, this.#known(containerId), resources, limits);
    if (isHeld) this.#disk?.update(containerId, resources);
  }

  limitMemory(containerId: string, bytes: number): Promise<boolean> {
    return limitMemory(this.#options, this.#state, this.#tracked.get(containerId), bytes);
  }

  async stop(containerId: string, graceMilliseconds: number): Promise<void> {
    this.#launching.end(containerId, graceMilliseconds);
    await this.#tracked.get(containerId)?.stop(graceMilliseconds);
  }

  async destroy(containerId: string): Promise<void> {
    await this.stop(containerId, 0);
  }

  async wait(containerId: string): Promise<ContainerTermination> {
    return this.#known(containerId).over;
  }

  async usage(containerId: string): Promise<ResourceStatistics | undefined> {
    const tracked = this.#known(containerId);
    const statistics = await measured(this.#options, tracked);
    return statistics && Object.assign(statistics, this.#disk?.usage(containerId));
  }

  /** What was last seen when the daemon does not answer. */
  async status(containerId: string): Promise<ContainerStatus> {
    const tracked = this.#known(containerId);
    const id = tracked.isOver ? undefined : tracked.engineId;
    const seen = id === undefined ? undefined : await this.#options.engine.inspect(id).catch(() => undefined);
    const details = seen ?? tracked.details;
    if (details === undefined) throw new Error(`nothing is known of container ${containerId} yet`);
    return containerStatus(containerId, details, tracked.subject.container);
  }

  async run(containerId: string, command: CommandInfo, timeoutMilliseconds: number): Promise<CommandResult> {
    const { engineId } = this.#known(containerId);
    if (engineId === undefined) throw new Error(`container ${containerId} has not been found yet`);
    return runInside(this.#options.engine, engineId, command, timeoutMilliseconds);
  }

  async ownLog(containerId: string, wanted: LogWindows): Promise<LogParts | undefined> {
    const engineId = this.#tracked.get(containerId)?.engineId;
    return engineId === undefined ? undefined : await this.#ownLogs.read(engineId, wanted);
  }

  async reach(containerId: string): Promise<Reach> {
    return this.#known(containerId).reach();
  }

  async remove(containerId: string): Promise<void> {
    const tracked = this.#tracked.get(containerId);
    this.sessions.forget(containerId);
    this.#tracked.delete(containerId);
    await tracked?.close();
    await this.#state.forget(containerId);
  }

  trouble(): string | undefined {
    return this.#supervisor.trouble ?? this.#sandboxCheck.trouble;
  }

  /** Pulls that run now, for state and logs. */
  pulling(): readonly PullReport[] {
    return this.#pulls.reports;
  }

  async engineName(): Promise<string | undefined> {
    const { version, api } = await this.#options.engine.version();
    return `Docker ${version}, API ${api}`;
  }

  /** Gauges and counters for metrics. */
  counts(): Readonly<Record<"running" | "launching" | "awaiting_removal" | "pulls" | "daemon_breaks", number>> {
    return {
      running: [...this.#tracked.values()].filter(({ isOver }) => !isOver).length,
      launching: this.#launching.size,
      awaiting_removal: this.#reaper.count,
      pulls: this.#pulls.reports.length,
      daemon_breaks: this.#supervisor.breaks,
    };
  }

  async close(): Promise<void> {
    this.#sweeper.cancel();
    this.#reaper.close();
    this.#disk?.close();
    this.#collector?.close();
    this.#supervisor.close();
    this.#launching.close();
    await this.sessions.close();
    await Promise.all([...this.#tracked.values()].map((tracked) => tracked.close()));
    await this.#options.engine.close();
    await this.#supervisor.finished;
  }

  #known(containerId: string): TrackedContainer {
    const tracked = this.#tracked.get(containerId);
    if (tracked === undefined) throw new Error(`unknown container ${containerId}`);
    return tracked;
  }

  #onEvent({ action, id, attributes }: EngineEvent): void {
    if (action !== "die" && action !== "destroy") return;
    const containerId = attributes[label.containerId] ?? "";
    const tracked = this.#tracked.get(containerId) ?? [...this.#tracked.values()].find((one) => one.engineId === id);
    void tracked?.check();
  }

  async #memoryOfHost(): Promise<number> {
    this.#hostMemory ??= (await this.#options.engine.info()).memory;
    return this.#hostMemory;
  }
}
