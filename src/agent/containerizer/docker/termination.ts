import * as z from "zod";
import type { ContainerState } from "../../../docker/engine.ts";
import { TaskState, TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import type { Limitation } from "../../model/isolation.ts";

/** How an end is kept on disk, so that it is known when the container is not there any more. */
export const endSchema = z.object({
  exitCode: z.number().optional(),
  oomKilled: z.boolean(),
  /** The agent asked for it. */
  asked: z.boolean(),
  error: z.string(),
  finishedAt: z.string().optional(),
});
export type ContainerEnd = z.infer<typeof endSchema>;

/** Whether a container is over for good: not running, and no restart by its policy to come. */
export function hasEnded(state: ContainerState): boolean {
  if (state.running || state.restarting) return false;
  return state.status === "" ? state.finishedAt !== undefined : ["exited", "dead", "stopped"].includes(state.status);
}

export function endOf(state: ContainerState, asked: boolean): ContainerEnd {
  const { exitCode, oomKilled, error, finishedAt } = state;
  return { exitCode, oomKilled, asked, error, ...(finishedAt === undefined ? {} : { finishedAt }) };
}

/**
 * What the agent is told: the exit code as a raw wait status (as the docker command had it: a signal is 128 + n). Memory
 * exhaustion is told apart, which the C++ agent never could. `limitation`: what the agent ended it for.
 */
export function terminationOf(
  end: ContainerEnd | undefined,
  memoryLimit: number | undefined,
  limitation?: Limitation,
): ContainerTermination {
  if (limitation !== undefined) {
    const { reason, message, resources } = limitation;
    const status = end?.exitCode === undefined ? undefined : (end.exitCode & 0xff) << 8;
    return { status, state: TaskState.TASK_FAILED, reason, message, limitation: resources };
  }
  if (end?.exitCode === undefined) {
    return { status: undefined, message: end?.error || "Failed to get exit status of container: it is gone" };
  }
  const status = (end.exitCode & 0xff) << 8;
  if (end.oomKilled && end.exitCode !== 0 && !end.asked) {
    const limit = memoryLimit === undefined ? "" : ` of ${Math.round(memoryLimit / 1024 / 1024)}MB`;
    return {
      status,
      state: TaskState.TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: `Memory limit${limit} exceeded; container exited with status ${end.exitCode}`,
    };
  }
  const why = end.error === "" ? "" : `: ${end.error}`;
  return { status, message: `Container exited with status ${end.exitCode}${why}` };
}
