import type { Timer } from "../../../base/clock.ts";
import type { ContainerStatus } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerChain } from "../../model/nested.ts";
import type { ExecutorRecord, FrameworkRecord } from "../../model/records.ts";
import type { CommandTask, EndCause } from "../command-task.ts";

/** A task of a default executor, from its launch to its end. */
export interface GroupMember {
  readonly group: GroupExecutor;
  readonly task: CommandTask;
  /** Its container. */
  readonly chain: ContainerChain;
  /** Its group is being ended already: its own end ends nobody. */
  isGroupEnding: boolean;
  /** Its end was asked for before it ran. */
  wantedEnd: { readonly cause: EndCause; readonly grace: number } | undefined;
  /** What is known of its container, its process above all; undefined: it has none yet. */
  containerStatus: ContainerStatus | undefined;
}

/** A default executor that runs here, with its tasks that have not ended. */
export class GroupExecutor {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  /** Of the launch of its container. */
  readonly abort = new AbortController();
  readonly members = new Map<string, GroupMember>();
  isShuttingDown = false;
  isFinishing = false;
  /** When a shutdown waits no longer. */
  deadline: Timer | undefined;

  constructor(framework: FrameworkRecord, executor: ExecutorRecord) {
    this.framework = framework;
    this.executor = executor;
  }

  add(member: GroupMember): GroupMember {
    this.members.set(member.task.task.taskId, member);
    return member;
  }

  /** Checks and deadlines are nobody's any more. */
  leave(): void {
    this.deadline?.cancel();
    for (const { task } of this.members.values()) task.leave();
  }
}
