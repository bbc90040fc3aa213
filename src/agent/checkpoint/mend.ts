import { equals } from "@bufbuild/protobuf";
import type { RunTaskMessage, StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { CommandInfoSchema, type ExecutorInfo, type Task, type TaskStatus } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { RunKey } from "../model/paths.ts";

/*
 * What a damaged checkpoint says can often be had from elsewhere: ids are the names of the folders it lies in, and
 * whether an executor is ours stands in its info. Functions here put the right value in and return what was wrong.
 */

interface Id {
  value: string;
}

/** An id that is there and is not what the folder says. */
function mendId(what: string, id: Id | undefined, value: string): string[] {
  if (id === undefined || id.value === value) return [];
  const problem = `its ${what} is '${id.value}', not '${value}'`;
  id.value = value;
  return [problem];
}

const mendStatus = (status: TaskStatus | undefined, { agentId, executorId }: RunKey): string[] => [
  ...mendId("status' agent", status?.agentId, agentId),
  ...mendId("status' executor", status?.executorId, executorId),
];

/** Also leaves out statuses of other tasks. */
export function mendTask(task: Task, key: RunKey): string[] {
  const { agentId, frameworkId, executorId } = key;
  const strange = task.statuses.filter(({ taskId }) => taskId?.value !== task.taskId?.value);
  task.statuses = task.statuses.filter((status) => !strange.includes(status));
  return [
    ...mendId("framework", task.frameworkId, frameworkId),
    ...mendId("agent", task.agentId, agentId),
    ...mendId("executor", task.executorId, executorId),
    ...strange.map(({ taskId }) => `it has a status of task '${taskId?.value}'`),
    ...task.statuses.flatMap((status) => mendStatus(status, key)),
  ];
}

export function mendUpdate(update: StatusUpdate, key: RunKey): string[] {
  return [
    ...mendId("agent", update.agentId, key.agentId),
    ...mendId("executor", update.executorId, key.executorId),
    ...mendStatus(update.status, key),
  ];
}

export function mendLaunch({ task }: RunTaskMessage, { agentId, executorId }: RunKey): string[] {
  return [...mendId("agent", task?.agentId, agentId), ...mendId("executor", task?.executor?.executorId, executorId)];
}

export const mendExecutor = (info: ExecutorInfo, frameworkId: string): string[] =>
  mendId("framework", info.frameworkId, frameworkId);

/** Whether this is an executor that our agents show a command task under: it has the task's own command. */
export function looksGenerated({ executorId, name, source, command }: ExecutorInfo): boolean {
  const id = idOf(executorId);
  return (
    source === id &&
    name.startsWith(`Command Executor (Task: ${id})`) &&
    !/(^|\/)mesos-executor\b/.test(command?.value ?? "")
  );
}

/**
 * What `executor_generated_for_command_task` has to say; `text` undefined: it is not there. The rest of the checkpoint is
 * believed rather than this one character: an agent that takes a command task for an executor process waits in vain for
 * it to register, and ends it.
 */
export function mendGenerated(
  text: string | undefined,
  info: ExecutorInfo,
  launches: readonly RunTaskMessage[],
): { readonly value: boolean | undefined; readonly problem?: string } {
  const looks = looksGenerated(info);
  const own = launches.find(({ task }) => task?.taskId?.value === info.executorId?.value)?.task;
  const isCommandTask =
    looks &&
    own?.command !== undefined &&
    own.executor === undefined &&
    info.command !== undefined &&
    equals(CommandInfoSchema, own.command, info.command);
  if (text === undefined) return { value: isCommandTask ? true : undefined };
  const problem = `'${text.slice(0, 20)}' is not what the rest of the checkpoint says`;
  if (text === "0") return isCommandTask ? { value: true, problem } : { value: false };
  const isForeign =
    launches.some(({ task }) => task?.executor !== undefined) || (launches.length > 0 && own === undefined);
  if (text === "1") return isForeign ? { value: false, problem } : { value: true };
  return { value: looks, problem };
}
