import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../../base/clock.ts";
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
import { withoutToken } from "../../model/executor-token.ts";
import { TaskFailure } from "../../model/failure.ts";
import { type SandboxPlace, workingPlace } from "../../model/held/sandbox.ts";
import type { Confinement, Isolation, Limitation } from "../../model/isolation.ts";
import type { Reach } from "../../model/reach.ts";
import { shellExitCode } from "../../model/wait-status.ts";
import { type Account, Accounts } from "../../users/accounts.ts";
import { Launches } from "../launches.ts";
import { TERMINAL_ENVIRONMENT, windowOf } from "../sessions/window.ts";
import { killGroups } from "./control-groups.ts";
import { watchEnded } from "./ended-watch.ts";
import { type KnownContainer, knownOf } from "./known-container.ts";
import { Launcher, NotStarted } from "./launcher.ts";
import { type ProcessTable, ProcTable, processPace, treeUsage } from "./process-table.ts";
import { predecessorDone } from "./recovery.ts";
import { checkCommand, commandLine, type ProcessRequest } from "./request.ts";
import { planResourceLimits } from "./rlimits.ts";
import { currentProcessSpace, ownerOf, RuntimeFolder } from "./runtime-folder.ts";
import { statisticsOf, sumOf } from "./statistics.ts";
import { type Supervised, Supervision } from "./supervision.ts";
import { PREDECESSOR, Takeover } from "./takeover.ts";
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
  /** A container's own processes have ended: resolves when what is left within it has, too. */
  readonly ending?: (id: string) => Promise<void> | undefined;
  /** A container without a process went over a limit. */
  readonly limited?: (id: string, limitation: Limitation) => void;
}

const IN_LAUNCH = "while it was being launched";

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
  readonly #known = new Map<string, KnownContainer>();
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
      cleanup: (id) => {
        const below = options.ending?.(id);
        if (below === undefined) return options.isolation.cleanup(id);
        return below.finally(() => options.isolation.cleanup(id));
      },
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

  check({ command, container, resources, sandbox, parentSandbox, processless }: ContainerSpec): void {
    if (!processless) checkCommand(command);
    const lacking = unsupported(container);
    if (lacking !== undefined) {
      throw TaskFailure.launch(`The mesos containerizer of this agent does not support ${lacking}`);
    }
    planVolumes(container, resources, sandbox, this.#options.volumesRoot, parentSandbox);
    planResourceLimits(container?.rlimitInfo);
  }

  async launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer> {
    const { containerId } = spec;
    if (!/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/.test(containerId))
      throw TaskFailure.launch(`'${containerId}' is not a container id`);
    if (this.#known.has(containerId)) throw TaskFailure.launch(`Container ${containerId} exists already`);
    this.check(spec);
    this.#begin();
    this.#known.set(containerId, knownOf(spec, spec.environment));
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
    const { containerId, sandbox, container, resources, parentSandbox } = spec;
    const { isolation, volumesRoot } = this.#options;
    const volumes = planVolumes(container, resources, sandbox, volumesRoot, parentSandbox);
    const rlimits = planResourceLimits(container?.rlimitInfo);
    const user = spec.user === undefined ? undefined : await this.#accounts.of(spec.user);
    const confinement =
      spec.sharesGroupsOf === undefined
        ? await isolation.prepare(spec, (limit) => this.#limit(containerId, limit))
        : isolation.confinement(spec.sharesGroupsOf);
    signal.throwIfAborted();
    makeVolumes(volumes, spec, user);
    if (spec.processless) return { pid: undefined, status: this.#statusOf(containerId, 0), data: undefined };
    const folders = {
      container: this.#folder.container(containerId),
      ended: this.#folder.ended,
      mark: this.#folder.mark,
    };
    using place = workingPlace(spec);
    const confined = { ...confinement, readOnly: readOnlyPaths(volumes) };
    const terminal = windowOf(spec);
    const environment = { ...(terminal && TERMINAL_ENVIRONMENT), ...spec.environment };
    const request = this.#request(place, spec.command, user, confined, environment, "stdout");
    const started = await this.#launcher.start(containerId, folders, { ...request, rlimits, terminal });
    this.#supervision.started(containerId, started);
    return { pid: started.pid, status: this.#statusOf(containerId, started.pid), data: undefined };
  }

  #limit(id: string, limitation: Limitation): void {
    if (this.#supervision.get(id) === undefined) this.#options.limited?.(id, limitation);
    else this.#supervision.limit(id, limitation);
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
    { cwd }: { readonly cwd: string },
    command: CommandInfo,
    user: Account | undefined,
    confinement: Confinement,
    environment: Readonly<Record<string, string>>,
    stdout: string,
  ): ProcessRequest {
    const own = { ...confinement, ...commandLine(command) };
    return { cwd, user, stdout, stderr: "stderr", rlimits: [], environment, ...own };
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
    const { clock, log, isolation, owner } = this.#options;
    const [folder, table, supervision] = [this.#folder, this.#table, this.#supervision];
    folder.create();
    const limited = (id: string, limitation: Limitation): void => this.#limit(id, limitation);
    const takeover = new Takeover({ clock, log, isolation, folder, table, supervision, limited, owner });
    const recovered = await takeover.expected(expected, (container) => {
      this.#known.set(container.containerId, knownOf(container, undefined));
    });
    this.#begin();
    await takeover.endOrphans(new Set([...recovered, ...this.#known.keys()]), (id) => this.remove(id));
    return recovered;
  }

  async update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): Promise<void> {
    const known = this.#known.get(containerId);
    if (known === undefined) return;
    addVolumes(known.resources, resources, known, this.#options.volumesRoot);
    known.resources = resources;
    await this.#options.isolation.update(containerId, resources, limits);
  }

  async limitMemory(containerId: string, bytes: number): Promise<boolean> {
    const isOver = this.#supervision.get(containerId) !== undefined && !this.#supervision.isRunning(containerId);
    if (isOver || !(await this.#options.isolation.limitMemory(containerId, bytes))) return false;
    await this.#folder.orderMemory(containerId, bytes);
    return true;
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

  /** `within`: of a container without a process, those in it, whose processes are its own. */
  async usage(containerId: string, within?: readonly string[]): Promise<ResourceStatistics | undefined> {
    const known = this.#known.get(containerId);
    const running = [containerId, ...(within ?? [])].filter((id) => this.#supervision.isRunning(id));
    if (known === undefined || (running.length === 0 && within === undefined)) return undefined;
    const trees = running.map((id) => treeUsage(this.#table, this.#supervised(id).tree));
    const { clock, countProcesses } = this.#options;
    const own = statisticsOf(sumOf(await Promise.all(trees)), known.resources, clock.now(), countProcesses);
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
    this.#supervised(containerId);
    const known = this.#known.get(containerId);
    if (known === undefined || !this.#supervision.isRunning(containerId)) {
      throw new Error(`container ${containerId} has ended`);
    }
    const environment = { ...this.environment(containerId), ...variablesOf(command.environment) };
    // Whatever user it names: a framework may run its task as that one, and nobody has asked whether as another.
    const user = known.user === undefined ? undefined : await this.#accounts.of(known.user);
    const { isolation, volumesRoot } = this.#options;
    const readOnly = readOnlyPaths(planVolumes(undefined, known.resources, known.sandbox, volumesRoot));
    const confinement = { ...isolation.confinement(known.sharesGroupsOf ?? containerId), readOnly };
    using place = workingPlace(known);
    const request = this.#request(place, command, user, confinement, environment, "stderr");
    const status = await this.#launcher.run(`${containerId}.${++this.#runs}`, timeoutMilliseconds, request);
    if (status === "timeout") throw new Error(`Command timed out after ${timeoutMilliseconds / 1000}secs`);
    return { exitCode: shellExitCode(status) };
  }

  /** A container's first process, while it runs. */
  pid(containerId: string): number | undefined {
    const pid = this.#supervision.isRunning(containerId) ? this.#supervision.get(containerId)?.tree.pid : undefined;
    return pid !== undefined && pid > 1 ? pid : undefined;
  }

  /** The folder in which its shim listens; undefined: it has no terminal, or does not run. */
  terminal(containerId: string): string | undefined {
    const isThere = this.#supervision.isRunning(containerId) && this.#folder.hasTerminal(containerId);
    return isThere ? this.#folder.container(containerId) : undefined;
  }

  /** Whether something in its control groups ended because of a limit of theirs. */
  limitation(containerId: string): Limitation | undefined {
    return this.#options.isolation.limitation(containerId);
  }

  /** What runs below a container without a process has ended: its limits go. */
  async release(containerId: string): Promise<void> {
    await this.#options.isolation.cleanup(containerId);
  }

  /** The environment that a container was started with, as far as anybody knows it; not what its executor alone may know. */
  environment(containerId: string): Readonly<Record<string, string>> | undefined {
    const pid = this.#supervision.get(containerId)?.tree.pid;
    const known = this.#known.get(containerId)?.environment;
    const environment = known ?? (pid === undefined ? undefined : this.#table.environment(pid));
    return environment && withoutToken(environment);
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

  /** The sandboxes of what runs, for who watches over them. */
  running(): (SandboxPlace & { readonly containerId: string })[] {
    return [...this.#known]
      .filter(([id]) => this.#supervision.isRunning(id))
      .map(([containerId, { sandbox, within }]) => ({ containerId, sandbox, within }));
  }

  /** Sends a signal to a container's first process. False: it has none, or has ended. */
  signal(containerId: string, signal: number): boolean {
    const pid = this.pid(containerId);
    return pid !== undefined && this.#table.signal(pid, signal);
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
