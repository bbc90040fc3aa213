import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../../base/clock.ts";
import { within } from "../../../base/deadline.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { Signal } from "../../../base/signal.ts";
import {
  type CommandInfo,
  type ContainerInfo,
  ContainerInfo_Type,
  type ContainerStatus,
  ContainerStatusSchema,
  type Resource,
  type ResourceStatistics,
  type Value_Scalar,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../../mesos/secrets.ts";
import type {
  CheckpointedContainer,
  CommandResult,
  Containerizer,
  ContainerSpec,
  ContainerTermination,
  StartedContainer,
} from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { Confinement, Isolation } from "../../model/isolation.ts";
import type { Reach } from "../../model/reach.ts";
import { shellExitCode } from "../../model/wait-status.ts";
import { type Account, Accounts } from "../../users/accounts.ts";
import { Launches } from "../launches.ts";
import { killGroups } from "./control-groups.ts";
import { watchEnded } from "./ended-watch.ts";
import { Findings } from "./findings.ts";
import { Launcher, NotStarted, type Started } from "./launcher.ts";
import { type ProcessTable, ProcTable, processPace, treeUsage } from "./process-table.ts";
import { type Adoption, predecessorDone } from "./recovery.ts";
import { commandLine, type ProcessRequest } from "./request.ts";
import { planResourceLimits } from "./rlimits.ts";
import { currentProcessSpace, ownerOf, RuntimeFolder } from "./runtime-folder.ts";
import { statisticsOf } from "./statistics.ts";
import { type Supervised, Supervision } from "./supervision.ts";
import { addVolumes, makeVolumes, planVolumes, readOnlyPaths, unsupported } from "./volumes.ts";

export interface MesosContainerizerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** `--runtime_dir`; may be shared with other agents. */
  readonly runtimeDir: string;
  /** Names this agent among those that share `runtimeDir`: the work_dir. */
  readonly owner: string;
  /** `<work_dir>/volumes`: persistent volumes. */
  readonly volumesRoot: string;
  /** Node's name of the architecture (`process.arch`). */
  readonly architecture: string;
  /** The agent's PATH, to find perl by. */
  readonly path: string | undefined;
  readonly perl?: string;
  readonly isolation: Isolation;
  /** Whether numbers of processes and threads are reported; they are, unless said otherwise. */
  readonly countProcesses?: boolean;
  readonly table?: ProcessTable;
  readonly accounts?: Accounts;
}

/** Milliseconds that launches of a killed agent or launcher are waited for. */
const PREDECESSOR = 10_000;
/** Milliseconds that one container may hold up the recovery of all. */
const RECOVERY = 10_000;
const IN_LAUNCH = "while it was being launched";
/** What is remembered of a container besides its processes. */
interface Known {
  readonly sandbox: string;
  readonly user: string | undefined;
  /** undefined after a restart: then the kernel is asked. */
  readonly environment: Readonly<Record<string, string>> | undefined;
  resources: readonly Resource[];
}

/** Runs tasks and executors as plain processes of this machine, through the launcher and its shims. */
export class MesosContainerizer implements Containerizer {
  readonly name = "mesos";
  readonly killGrace = undefined;
  readonly enforces: Containerizer["enforces"];
  readonly #options: MesosContainerizerOptions;
  readonly #folder: RuntimeFolder;
  readonly #launcher: Launcher;
  readonly #supervision: Supervision;
  readonly #accounts: Accounts;
  readonly #table: ProcessTable;
  readonly #known = new Map<string, Known>();
  readonly #launching = new Launches();
  #watch: Timer | undefined;
  #runs = 0;
  #closed = false;
  /** It lets go of everything. */
  readonly closed = new Signal();

  constructor(options: MesosContainerizerOptions) {
    const { clock, log, runtimeDir, owner } = options;
    this.#options = options;
    this.enforces = options.isolation.enforces;
    this.#table = options.table ?? new ProcTable();
    this.#accounts = options.accounts ?? new Accounts(clock);
    this.#folder = new RuntimeFolder(runtimeDir, ownerOf(owner), currentProcessSpace());
    this.#supervision = new Supervision({
      clock,
      log,
      table: this.#table,
      statusOf: (id) => this.#folder.status(id),
      announceDeadline: (id, at) => this.#folder.announceDeadline(id, at),
      killGroups: (id) => killGroups(options.isolation.confinement(id).controlGroups),
      limitation: (id) => options.isolation.limitation(id),
      cleanup: (id) => options.isolation.cleanup(id),
    });
    this.#launcher = new Launcher({
      clock,
      log,
      perl: options.perl,
      path: options.path,
      architecture: options.architecture,
      mark: this.#folder.owner,
      launching: this.#folder.launching,
      quiet: () => predecessorDone(clock, this.#folder.launching, PREDECESSOR),
      already: (id) => this.#folder.processes(id),
      shimLost: (id) => this.#supervision.shimLost(id),
    });
  }

  accepts(container: ContainerInfo | undefined): boolean {
    return container === undefined || container.type === ContainerInfo_Type.MESOS;
  }

  check({ container, resources, sandbox }: ContainerSpec): void {
    const lacking = unsupported(container);
    if (lacking !== undefined) {
      throw TaskFailure.launch(`The mesos containerizer of this agent does not support ${lacking}`);
    }
    planVolumes(container, resources, sandbox, this.#options.volumesRoot);
    planResourceLimits(container?.rlimitInfo);
  }

  async launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer> {
    const { containerId } = spec;
    if (!/^[A-Za-z0-9_-]{1,200}$/.test(containerId)) throw TaskFailure.launch(`'${containerId}' is not a container id`);
    if (this.#known.has(containerId)) throw TaskFailure.launch(`Container ${containerId} exists already`);
    this.check(spec);
    this.#begin();
    const { sandbox, user, environment, resources } = spec;
    this.#known.set(containerId, { sandbox, user, environment, resources });
    try {
      return await this.#launching.run(
        containerId,
        signal,
        (signals) => this.#launch(spec, signals),
        (grace) => void this.#supervision.stop(containerId, grace),
      );
    } catch (error) {
      // While the agent ends, a launch may still succeed: the next agent finds it.
      if (!this.#closed) await this.#undo(containerId);
      throw error instanceof TaskFailure || signal.aborted ? error : this.#failure(error);
    }
  }

  async #launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer> {
    const { containerId, sandbox, container, resources } = spec;
    const { isolation, volumesRoot } = this.#options;
    const volumes = planVolumes(container, resources, sandbox, volumesRoot);
    const rlimits = planResourceLimits(container?.rlimitInfo);
    const user = spec.user === undefined ? undefined : await this.#accounts.of(spec.user);
    const confinement = await isolation.prepare(spec, (limit) => this.#supervision.limit(containerId, limit));
    signal.throwIfAborted();
    makeVolumes(volumes, sandbox, user);
    const folders = {
      container: this.#folder.container(containerId),
      ended: this.#folder.ended,
      mark: this.#folder.mark,
    };
    const confined = { ...confinement, readOnly: readOnlyPaths(volumes) };
    const request = this.#request(spec, spec.command, user, confined, spec.environment, "stdout");
    const started = await this.#launcher.start(containerId, folders, { ...request, rlimits });
    this.#supervise(containerId, started);
    return { pid: started.pid, status: this.#statusOf(containerId, started.pid), data: undefined };
  }

  #supervise(id: string, { shim, since, pid }: Started): Supervised {
    const supervised = this.#supervision.add({ id, tree: { shim, pid }, since, announced: true });
    // It may have ended before its start was heard of.
    this.#supervision.ended(id);
    return supervised;
  }

  async #undo(id: string): Promise<void> {
    this.#known.delete(id);
    await this.#options.isolation
      .cleanup(id)
      .catch((error: unknown) => this.#options.log.error(`Cleaning up container ${id}: ${messageOf(error)}`));
    this.#folder.remove(id);
  }

  #failure(error: unknown): TaskFailure {
    const isOurs = error instanceof NotStarted || error instanceof RangeError;
    const why = messageOf(error);
    return TaskFailure.launch(isOurs ? `Failed to start the process: ${why}` : why, { cause: error });
  }

  #request(
    known: { readonly sandbox: string },
    command: CommandInfo,
    user: Account | undefined,
    confinement: Confinement,
    environment: Readonly<Record<string, string>>,
    stdout: string,
  ): ProcessRequest {
    const own = { ...confinement, ...commandLine(command) };
    return { cwd: known.sandbox, user, stdout, stderr: "stderr", rlimits: [], environment, ...own };
  }

  #begin(): void {
    if (this.#watch !== undefined) return;
    this.#folder.create();
    this.#watch = watchEnded({
      clock: this.#options.clock,
      log: this.#options.log,
      folder: this.#folder.ended,
      list: () => this.#folder.endedIds(),
      ended: (id) => this.#supervision.ended(id),
    });
  }

  async recover(expected: readonly CheckpointedContainer[]): Promise<ReadonlySet<string>> {
    const { clock, log, isolation } = this.#options;
    this.#folder.create();
    if (!(await predecessorDone(clock, this.#folder.launching, PREDECESSOR))) {
      log.warn("A launcher of a previous agent is still at work; its last launches may be lost");
    }
    const recovered = new Set<string>();
    const findings = new Findings(this.#folder, this.#table, log);
    for (const container of expected) {
      const id = container.containerId;
      const found = await findings.of(id, container);
      if (found.kind === "unknown") continue;
      recovered.add(id);
      const { sandbox, user, resources } = container;
      this.#known.set(id, { sandbox, user, environment: undefined, resources });
      const isolated = isolation.recover(container, (limitation) => this.#supervision.limit(id, limitation));
      if ((await within(clock, RECOVERY, isolated, "late" as const)) === "late")
        log.warn(`Container ${id}: its isolation could not be taken up within ${RECOVERY / 1000} s; going on`);
      this.#adopt(id, found);
    }
    this.#begin();
    await this.#endOrphans(recovered, findings);
    const alive = new Set(this.#supervision.ids());
    void isolation.sweep(alive).catch((error: unknown) => log.error(`Ending orphans: ${messageOf(error)}`));
    return recovered;
  }

  #adopt(id: string, found: Exclude<Adoption, { kind: "unknown" }>): void {
    const { log } = this.#options;
    log.info(`Recovered container ${id}: ${found.kind}`);
    if (found.kind === "ended") {
      this.#supervision.addEnded(id, found.status);
      return;
    }
    if (found.kind === "foreign") {
      this.#supervision.add({ id, tree: { shim: undefined, pid: found.pid }, since: found.since, announced: false });
      return;
    }
    const since = found.kind === "running" ? found.since : "";
    this.#supervise(id, { shim: found.shim, since, pid: found.pid });
    if (found.kind === "unsupervised") return this.#supervision.shimLost(id);
    const deadline = this.#folder.deadline(id);
    if (deadline !== undefined) this.#supervision.resumeStop(id, deadline);
  }

  async #endOrphans(expected: ReadonlySet<string>, findings: Findings): Promise<void> {
    for (const id of this.#folder.own()) {
      if (expected.has(id) || this.#known.has(id)) continue;
      const found = await findings.of(id, undefined);
      if (found.kind === "running" || found.kind === "unsupervised") {
        this.#options.log.info(`Ending orphan container ${id}`);
        this.#supervise(id, { shim: found.shim, since: found.kind === "running" ? found.since : "", pid: found.pid });
        if (found.kind === "running") this.#supervision.kill(id);
        else this.#supervision.shimLost(id);
        void this.#supervision.get(id)?.termination.then(() => this.remove(id));
      } else if (this.#folder.isCertainlyOver(id)) this.#folder.remove(id);
    }
  }

  async update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): Promise<void> {
    const known = this.#known.get(containerId);
    if (known === undefined) return;
    addVolumes(known.resources, resources, known.sandbox, this.#options.volumesRoot);
    known.resources = resources;
    await this.#options.isolation.update(containerId, resources, limits);
  }

  async stop(containerId: string, graceMilliseconds: number): Promise<void> {
    this.#launching.end(containerId, graceMilliseconds, TaskFailure.launch(`Container was stopped ${IN_LAUNCH}`));
    await this.#supervision.stop(containerId, graceMilliseconds);
  }

  async destroy(containerId: string): Promise<void> {
    this.#launching.end(containerId, 0, TaskFailure.launch(`Container was destroyed ${IN_LAUNCH}`));
    this.#supervision.kill(containerId);
  }

  async wait(containerId: string): Promise<ContainerTermination> {
    return await this.#supervised(containerId).termination;
  }

  #supervised(id: string): Supervised {
    const supervised = this.#supervision.get(id);
    if (supervised === undefined) throw new Error(`container ${id} is unknown`);
    return supervised;
  }

  async usage(containerId: string): Promise<ResourceStatistics | undefined> {
    const supervised = this.#supervision.get(containerId);
    const known = this.#known.get(containerId);
    if (supervised === undefined || known === undefined || !this.#supervision.isRunning(containerId)) return undefined;
    const tree = await treeUsage(this.#table, supervised.tree);
    const { clock, countProcesses } = this.#options;
    const own = statisticsOf(tree, known.resources, clock.now(), countProcesses);
    await processPace.take();
    return Object.assign(own, await this.#options.isolation.usage(containerId));
  }

  async status(containerId: string): Promise<ContainerStatus> {
    return this.#statusOf(containerId, this.#supervised(containerId).tree.pid);
  }

  #statusOf(id: string, pid: number): ContainerStatus {
    const cgroupInfo = this.#options.isolation.status(id);
    return create(ContainerStatusSchema, {
      containerId: { value: id },
      ...(pid > 0 ? { executorPid: pid } : {}),
      ...(cgroupInfo === undefined ? {} : { cgroupInfo }),
    });
  }

  async run(containerId: string, command: CommandInfo, timeoutMilliseconds: number): Promise<CommandResult> {
    const supervised = this.#supervised(containerId);
    const known = this.#known.get(containerId);
    if (known === undefined || !this.#supervision.isRunning(containerId)) {
      throw new Error(`container ${containerId} has ended`);
    }
    const own = known.environment ?? this.#table.environment(supervised.tree.pid);
    const environment = { ...own, ...variablesOf(command.environment) };
    const name = command.user || known.user;
    const user = name === undefined || known.user === undefined ? undefined : await this.#accounts.of(name);
    const { isolation, volumesRoot } = this.#options;
    const readOnly = readOnlyPaths(planVolumes(undefined, known.resources, known.sandbox, volumesRoot));
    const confinement = { ...isolation.confinement(containerId), readOnly };
    const request = this.#request(known, command, user, confinement, environment, "stderr");
    const status = await this.#launcher.run(`${containerId}.${++this.#runs}`, timeoutMilliseconds, request);
    if (status === "timeout") throw new Error(`Command timed out after ${timeoutMilliseconds / 1000}secs`);
    return { exitCode: shellExitCode(status) };
  }

  /** Its processes share the agent's network. */
  reach = async (): Promise<Reach> => ({ kind: "machine" });

  async remove(containerId: string): Promise<void> {
    if (this.#supervision.isRunning(containerId)) throw new Error(`container ${containerId} is still running`);
    this.#supervision.forget(containerId);
    this.#known.delete(containerId);
    this.#folder.remove(containerId);
  }

  trouble(): string | undefined {
    return this.#launcher.trouble;
  }

  /** The sandbox and the resources of what runs, for who watches over them. */
  running(): { readonly containerId: string; readonly sandbox: string }[] {
    return [...this.#known]
      .filter(([id]) => this.#supervision.isRunning(id))
      .map(([containerId, { sandbox }]) => ({ containerId, sandbox }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.closed.raise();
    this.#watch?.cancel();
    this.#supervision.close();
    await this.#launcher.close();
    await this.#options.isolation.close();
  }
}
