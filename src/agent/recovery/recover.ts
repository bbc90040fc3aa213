import { type Clock, every } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { ContainerInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { CheckpointedAgent, CheckpointedState } from "../model/checkpointed-state.ts";
import type { Containerizer } from "../model/container.ts";
import type { GarbageCollection } from "../model/garbage-collection.ts";
import type { Identity } from "../model/identity.ts";
import type { Paths } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord } from "../model/records.ts";
import type { ShownSandboxes } from "../model/shown-sandboxes.ts";
import { type ResourceChanges, recoverResources } from "../operations/resource-changes.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { Draining } from "../tasks/draining.ts";
import type { Drivers } from "../tasks/drivers/driver.ts";
import type { Frameworks } from "../tasks/frameworks.ts";
import type { LaunchRunner } from "../tasks/launch.ts";
import { type FrameworkRegistry, remember } from "../tasks/registry.ts";
import type { TaskUsers } from "../tasks/task-users.ts";
import { accepts, differences, explainDifferences, waysOut } from "./compatibility.ts";
import { type Rebuilt, rebuild } from "./rebuild.ts";

export interface RecoveryOptions extends ResourceChanges {
  readonly clock: Clock;
  readonly log: Logger;
  readonly flags: AgentFlags;
  readonly identity: Identity;
  readonly paths: Paths;
  readonly store: CheckpointStore;
  readonly registry: FrameworkRegistry;
  readonly updates: StatusUpdates;
  readonly draining: Draining;
  readonly frameworks: Frameworks;
  readonly drivers: Drivers;
  readonly users: TaskUsers;
  readonly gc: GarbageCollection;
  readonly runner: LaunchRunner;
  readonly shown: ShownSandboxes;
  readonly containerizers: readonly Containerizer[];
  /** `--default_container_info`: of tasks and executors that bring none. */
  readonly defaultContainer?: ContainerInfo | undefined;
}

/** When the last task of an executor ended, in seconds; 0 when none is known. */
const endOf = ({ completed }: ExecutorRecord): number =>
  Math.max(0, ...completed.map(({ task }) => task.statuses.at(-1)?.timestamp ?? 0));

/** Brings back what an earlier agent left: reservations, update streams, frameworks, containers, executors. */
export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /**
   * Resolves once executors came back or had their time. `bootId`: the kernel's, now. Throws a UserError when this agent
   * may not go on as the one that it finds.
   */
  async run(state: CheckpointedState, bootId: string): Promise<void> {
    const { log, paths, identity, containerizers, operations, draining, clock, users, updates, gc, registry } =
      this.#options;
    const rebooted = state.bootId !== undefined && state.bootId !== bootId;
    if (rebooted) log.warn("Agent host rebooted");
    await recoverResources(this.#options, state);
    const before = this.#acceptable(state, rebooted);
    if (before === undefined) {
      log.info(`Failed to find the latest agent from '${paths.meta.root()}': registering as a new one`);
      for (const containerizer of containerizers) await containerizer.recover([]);
      operations.abandon();
      return;
    }
    identity.adopt(before.id);
    draining.restore(before.drain);
    const rebuilt = rebuild(before, { paths, now: clock.now(), rebooted, users });
    for (const stream of rebuilt.streams) updates.recover(stream);
    gc.scheduleByAge(rebuilt.garbage);
    for (const framework of rebuilt.frameworks) registry.active.set(framework.frameworkId, framework);
    this.#recoverPast(rebuilt);
    await this.#recoverContainers(rebuilt);
    this.#recoverExecutors(rebuilt);
    log.info(`Recovered ${rebuilt.frameworks.length} frameworks, ${rebuilt.expected.length} containers`);
    await this.#returns(rebuilt);
    await operations.recover(before.operationStreams);
    await draining.replay();
  }

  /** What was over before is shown again, within the bounds of what is remembered; its sandboxes until they are collected. */
  #recoverPast({ frameworks, completedFrameworks }: Rebuilt): void {
    const { registry, shown } = this.#options;
    for (const framework of [...frameworks, ...completedFrameworks]) {
      const past = framework.completedExecutors;
      past.sort((left, right) => endOf(left) - endOf(right));
      past.splice(0, past.length - registry.limits.executorsPerFramework);
      for (const executor of past) shown.attachPast(framework, executor);
    }
    const lastEnd = ({ completedExecutors }: FrameworkRecord): number => {
      const last = completedExecutors.at(-1);
      return last === undefined ? 0 : endOf(last);
    };
    for (const framework of completedFrameworks.toSorted((left, right) => lastEnd(left) - lastEnd(right)))
      remember(registry.completed, framework, registry.limits.frameworks);
  }

  /** Each containerizer is asked for the containers that it would have been given. */
  async #recoverContainers({ expected, frameworks }: Rebuilt): Promise<void> {
    const { containerizers, defaultContainer } = this.#options;
    const all = frameworks.flatMap(({ executors }) => [...executors.values()]);
    for (const containerizer of containerizers) {
      const own = expected.filter(
        ({ container }) =>
          containerizers.find((candidate) => candidate.accepts(container ?? defaultContainer)) === containerizer,
      );
      const found = await containerizer.recover(own);
      for (const executor of all) if (found.has(executor.containerId)) executor.containerizer = containerizer;
    }
  }

  #recoverExecutors(rebuilt: Rebuilt): void {
    const { frameworks, drivers, runner } = this.#options;
    for (const framework of rebuilt.frameworks) {
      for (const executor of [...framework.executors.values()]) {
        runner.recover({ framework, executor });
        frameworks.controls.of(executor).recover(framework, executor, executor.containerizer !== undefined);
        if (executor.kind === "driver") drivers.reconnect(executor);
      }
    }
  }

  /** Resolves when the executors came back or had their time. Drivers are asked again now and then, if that is wanted. */
  async #returns(rebuilt: Rebuilt): Promise<void> {
    const { flags, clock, frameworks, drivers } = this.#options;
    const interval = flags.executor_reregistration_retry_interval;
    const executors = rebuilt.frameworks.flatMap((framework) => [...framework.executors.values()]);
    const askAgain = (): void => {
      for (const executor of executors)
        if (executor.kind === "driver" && frameworks.processes.isAwaited(executor)) drivers.reconnect(executor);
    };
    const asking = interval === undefined ? undefined : every(clock, interval, askAgain);
    try {
      await frameworks.processes.allReturned();
    } finally {
      asking?.cancel();
    }
  }

  /** The agent that was, if this one may go on as it (mesos-agent-behaviour §4.4). */
  #acceptable(state: CheckpointedState, rebooted: boolean): CheckpointedAgent | undefined {
    const { flags, identity, log, store, paths } = this.#options;
    const before = state.agent;
    if (before === undefined) return undefined;
    const found = differences(before.info, identity.info);
    const policy = flags.reconfiguration_policy === "additive" ? "additive" : "equal";
    if (flags.recover === "cleanup" || accepts(policy, found)) return before;
    const changes = explainDifferences(found);
    if (rebooted) {
      log.warn(`Incompatible agent info after a reboot; registering as a new agent:\n${changes}`);
      store.forgetAgent();
      return undefined;
    }
    throw new UserError(
      `Incompatible agent info detected:\n${changes}`,
      waysOut(found, policy, paths.meta.latestAgent()),
    );
  }
}
