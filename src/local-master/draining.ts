import { create } from "@bufbuild/protobuf";
import { DrainSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfo_Capability_Type,
  type DrainConfig,
  DrainConfigSchema,
  DrainState,
  TaskState,
  TaskStatus_Reason,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { stateForFramework } from "../mesos/states.ts";
import type { Agents } from "./agents.ts";
import type { Cluster } from "./cluster.ts";
import type { Agent } from "./model.ts";
import { type Outcome, outcome } from "./negotiation.ts";

/**
 * What operators do to whole agents. Mesos writes each of these into its registry; here they are forgotten with the
 * master.
 */
export class Draining {
  readonly #cluster: Cluster;
  readonly #agents: Agents;

  constructor(cluster: Cluster, agents: Agents) {
    this.#cluster = cluster;
    this.#agents = agents;
  }

  #isKnown(agentId: string): boolean {
    return this.#cluster.agents.has(agentId) || this.#cluster.unreachable.has(agentId);
  }

  /** No more offers of an agent. */
  #deactivate(agentId: string): void {
    this.#cluster.deactivated.add(agentId);
    for (const offer of [...(this.#cluster.agents.get(agentId)?.offers ?? [])]) this.#cluster.removeOffer(offer, true);
  }

  /** DRAIN_AGENT. `grace`: the longest that a kill policy may take, in nanoseconds. */
  drain(agentId: string, grace: bigint | undefined, markGone: boolean): Outcome {
    const { clock, log } = this.#cluster.context;
    const agent = this.#cluster.agents.get(agentId);
    if (agent?.capabilities.has(AgentInfo_Capability_Type.AGENT_DRAINING) === false)
      return outcome(400, `Agent ${agentId} is not capable of draining`);
    if (!this.#isKnown(agentId)) return outcome(400, "Unknown agent");
    const config = create(DrainConfigSchema, {
      markGone,
      ...(grace !== undefined && { maxGracePeriod: { nanoseconds: grace } }),
    });
    this.#cluster.draining.set(agentId, { config, since: clock.now() });
    this.#deactivate(agentId);
    log.info(`Draining agent ${agentId}, ${agent?.tasks.size ?? "an unknown number of"} tasks`);
    if (agent !== undefined) this.#tell(agent, config);
    return outcome(200);
  }

  #tell(agent: Agent, config: DrainConfig): void {
    const message = create(DrainSlaveMessageSchema, { config });
    this.#cluster.context.process.send(agent.pid, DrainSlaveMessageSchema, message);
  }

  /** DEACTIVATE_AGENT */
  deactivate(agentId: string): Outcome {
    if (!this.#isKnown(agentId)) return outcome(400, "Unknown agent");
    this.#deactivate(agentId);
    return outcome(200);
  }

  /** REACTIVATE_AGENT */
  reactivate(agentId: string): Outcome {
    if (!this.#cluster.deactivated.has(agentId)) return outcome(400, "Agent is not deactivated");
    if (this.#cluster.drainInfo(agentId)?.state === DrainState.DRAINING)
      return outcome(400, "Agent is still in the DRAINING state");
    this.#cluster.draining.delete(agentId);
    this.#cluster.deactivated.delete(agentId);
    if (!this.#cluster.agents.has(agentId)) return outcome(409, "Agent removed while processing the call");
    this.#cluster.offerSoon();
    return outcome(200);
  }

  /** MARK_AGENT_GONE: it never comes back, nor do its tasks. */
  markGone(agentId: string): Outcome {
    if (this.#cluster.gone.has(agentId)) return outcome(200);
    if (!this.#isKnown(agentId)) return outcome(404, `Agent '${agentId}' not found`);
    this.#cluster.gone.add(agentId);
    const agent = this.#cluster.agents.get(agentId);
    if (agent !== undefined) {
      this.#agents.refuseGone(agent.pid);
      this.#agents.remove(agent, "an operator marked it gone", "gone");
    }
    this.#cluster.unreachable.delete(agentId);
    this.#cluster.draining.delete(agentId);
    this.#cluster.deactivated.delete(agentId);
    this.#loseUnreachable(agentId);
    return outcome(200);
  }

  #loseUnreachable(agentId: string): void {
    for (const framework of this.#cluster.frameworks.values())
      for (const entry of [...framework.unreachable.values()]) {
        if (entry.agentId !== agentId) continue;
        entry.task.state = stateForFramework(TaskState.TASK_GONE_BY_OPERATOR, framework.info);
        this.#cluster.removeTask(entry);
        this.#cluster.tellChanged(framework, entry.task, {
          taskId: idOf(entry.task.taskId),
          agentId,
          executorId: entry.task.executorId?.value,
          state: TaskState.TASK_GONE_BY_OPERATOR,
          reason: TaskStatus_Reason.AGENT_REMOVED_BY_OPERATOR,
          message: `Agent ${agentId} is gone: an operator marked it gone`,
        });
      }
  }

  /** Marks those gone that were to be when they are drained. Called every now and then. */
  finish(): void {
    for (const [agentId, { config }] of [...this.#cluster.draining])
      if (config.markGone && this.#cluster.drainInfo(agentId)?.state === DrainState.DRAINED) this.markGone(agentId);
  }
}
