import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Event_Type, type EventSchema, Event_Type as Type } from "../mesos/gen/mesos/v1/master/master_pb.ts";
import type { FrameworkInfo, Task, TaskStatus } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Cluster } from "./cluster.ts";
import { HEARTBEAT_INTERVAL } from "./event-stream.ts";
import type { Agent, Framework } from "./model.ts";
import { agentInit, frameworkInit, stateMessage } from "./operator-messages.ts";

export type OperatorEvent = Omit<MessageInitShape<typeof EventSchema>, "$typeName" | "$unknown"> & { type: Event_Type };

/** Where an operator's events go. */
export interface OperatorSink {
  send(event: OperatorEvent): void;
  close(): void;
}

/** Operators that follow the cluster by SUBSCRIBE: each hears first how it is, then each change, in its order. */
export class Subscribers {
  readonly #cluster: Cluster;
  readonly #sinks = new Set<OperatorSink>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  add(sink: OperatorSink): void {
    this.#sinks.add(sink);
    sink.send({
      type: Type.SUBSCRIBED,
      subscribed: { getState: stateMessage(this.#cluster), heartbeatIntervalSeconds: HEARTBEAT_INTERVAL / 1000 },
    });
    this.heartbeat(sink);
  }

  heartbeat(sink: OperatorSink): void {
    sink.send({ type: Type.HEARTBEAT });
  }

  remove(sink: OperatorSink): void {
    this.#sinks.delete(sink);
  }

  /** Ends every stream. */
  close(): void {
    for (const sink of this.#sinks) sink.close();
    this.#sinks.clear();
  }

  taskAdded(task: Task): void {
    this.#send(() => ({ type: Type.TASK_ADDED, taskAdded: { task } }));
  }

  /** A task's state is another one than before. `status` says so; it may be older than what the agent knows. */
  taskUpdated(frameworkId: string, task: Task, status: TaskStatus): void {
    const { state } = task;
    this.#send(() => ({
      type: Type.TASK_UPDATED,
      taskUpdated: { frameworkId: { value: frameworkId }, status, state },
    }));
  }

  agentAdded(agent: Agent): void {
    this.#send(() => ({ type: Type.AGENT_ADDED, agentAdded: { agent: agentInit(this.#cluster, agent) } }));
  }

  agentRemoved(agentId: string): void {
    this.#send(() => ({ type: Type.AGENT_REMOVED, agentRemoved: { agentId: { value: agentId } } }));
  }

  frameworkAdded(framework: Framework): void {
    const added = () => ({ framework: frameworkInit(this.#cluster, framework) });
    this.#send(() => ({ type: Type.FRAMEWORK_ADDED, frameworkAdded: added() }));
  }

  frameworkUpdated(framework: Framework): void {
    const updated = () => ({ framework: frameworkInit(this.#cluster, framework) });
    this.#send(() => ({ type: Type.FRAMEWORK_UPDATED, frameworkUpdated: updated() }));
  }

  frameworkRemoved(frameworkInfo: FrameworkInfo): void {
    this.#send(() => ({ type: Type.FRAMEWORK_REMOVED, frameworkRemoved: { frameworkInfo } }));
  }

  /** The event is only made when somebody listens. */
  #send(make: () => OperatorEvent): void {
    if (this.#sinks.size === 0) return;
    const event = make();
    for (const sink of this.#sinks) sink.send(event);
  }
}
