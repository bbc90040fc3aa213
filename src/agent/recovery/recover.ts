import type { Clock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { AgentInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { CheckpointedAgent, CheckpointedState } from "../model/checkpointed-state.ts";
import type { Containerizer } from "../model/container.ts";
import type { Paths } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord } from "../model/records.ts";
import { type ResourceChanges, recoverResources } from "../operations/resource-changes.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { FrameworkBook } from "../tasks/book.ts";
import type { Executors } from "../tasks/build.ts";
import type { FrameworksContext } from "../tasks/context.ts";
import type { Draining } from "../tasks/draining.ts";
import { accepts, differences, explainDifferences } from "./compatibility.ts";
import { type Rebuilt, rebuild } from "./rebuild.ts";

/** The agent as it is before its recovery; what is found is put into it. */
export interface Heir extends ResourceChanges {
  readonly options: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly flags: AgentFlags;
    readonly info: AgentInfo;
    readonly containerizers: readonly Containerizer[];
    readonly gc: FrameworksContext["gc"];
    readonly attach: (executor: ExecutorRecord) => void;
  };
  readonly paths: Paths;
  readonly book: FrameworkBook;
  readonly updates: StatusUpdates;
  readonly draining: Draining;
  /** Takes the id of the one before. */
  adopt(id: string): void;
  userOf(framework: FrameworkRecord, executor: ExecutorRecord): string | undefined;
}

export interface RecoverInput {
  readonly agent: Heir;
  readonly state: CheckpointedState;
  /** The kernel's, now. */
  readonly bootId: string;
  readonly store: CheckpointStore;
  readonly executors: Executors;
}

/**
 * Brings back what an earlier agent left: reservations, update streams, frameworks, containers, executors. Resolves once
 * executors came back or had their time. Throws a UserError when this agent may not go on as the one that it finds.
 */
export async function recover(input: RecoverInput): Promise<void> {
  const { agent, state, bootId, executors } = input;
  const { options, paths } = agent;
  const { log } = options;
  const rebooted = state.bootId !== undefined && state.bootId !== bootId;
  if (rebooted) log.warn("Agent host rebooted");
  await recoverResources(agent, state);
  const before = acceptable(input, rebooted);
  if (before === undefined) {
    log.info(`Failed to find the latest agent from '${paths.meta.root()}': registering as a new one`);
    for (const containerizer of options.containerizers) await containerizer.recover([]);
    agent.operations.abandon();
    return;
  }
  agent.adopt(before.id);
  agent.draining.restore(before.drain);
  const rebuilt = rebuild(before, {
    paths,
    now: options.clock.now(),
    rebooted,
    userOf: (framework, executor) => agent.userOf(framework, executor),
  });
  for (const stream of rebuilt.streams) agent.updates.recover(stream);
  options.gc.scheduleByAge(rebuilt.garbage);
  for (const framework of rebuilt.frameworks) agent.book.active.set(framework.frameworkId, framework);
  await recoverContainers(agent, rebuilt);
  recoverExecutors(agent, executors, rebuilt);
  log.info(`Recovered ${rebuilt.frameworks.length} frameworks, ${rebuilt.expected.length} containers`);
  await executors.remote.allReturned();
  await agent.operations.recover(before.operationStreams);
  await agent.draining.replay();
}

/** Each containerizer is asked for the containers that it would have been given. */
async function recoverContainers({ options }: Heir, { expected, frameworks }: Rebuilt): Promise<void> {
  const all = frameworks.flatMap(({ executors }) => [...executors.values()]);
  for (const containerizer of options.containerizers) {
    const own = expected.filter(
      ({ container }) => options.containerizers.find((candidate) => candidate.accepts(container)) === containerizer,
    );
    const found = await containerizer.recover(own);
    for (const executor of all) if (found.has(executor.containerId)) executor.containerizer = containerizer;
  }
}

function recoverExecutors(agent: Heir, executors: Executors, { frameworks }: Rebuilt): void {
  for (const framework of frameworks) {
    for (const executor of [...framework.executors.values()]) {
      agent.options.attach(executor);
      executors.control(executor).recover(framework, executor, executor.containerizer !== undefined);
      if (executor.kind === "driver") executors.drivers.reconnect(executor);
    }
  }
}

/** The agent that was, if this one may go on as it (mesos-agent-behaviour §4.4). */
function acceptable({ agent, state, store }: RecoverInput, rebooted: boolean): CheckpointedAgent | undefined {
  const before = state.agent;
  if (before === undefined) return undefined;
  const { flags, info, log } = agent.options;
  const found = differences(before.info, info);
  const policy = flags.reconfiguration_policy === "additive" ? "additive" : "equal";
  if (flags.recover === "cleanup" || accepts(policy, found)) return before;
  const changes = explainDifferences(found);
  if (rebooted) {
    log.warn(`Incompatible agent info after a reboot; registering as a new agent:\n${changes}`);
    store.forgetAgent();
    return undefined;
  }
  const additive = policy === "equal" && accepts("additive", found);
  throw new UserError(
    `Incompatible agent info detected:\n${changes}`,
    `start with the old settings${additive ? ", or allow more of everything with --reconfiguration_policy=additive" : ""}; ` +
      `or give up the old id and its tasks:\n    rm -f ${agent.paths.meta.latestAgent()}\n  and start again`,
  );
}
