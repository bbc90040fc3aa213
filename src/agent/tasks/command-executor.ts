import { create } from "@bufbuild/protobuf";
import {
  type CommandInfo,
  type ExecutorInfo,
  ExecutorInfoSchema,
  type FrameworkInfo,
  type TaskInfo,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";

/** Bytes of a command that its generated executor's name shows. */
const LONGEST_COMMAND = 15;

/** As C++ cuts it, by bytes, but never within a character: half of one is no text. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST_COMMAND) return text;
  return `${bytes.toString("utf8", 0, LONGEST_COMMAND - 3).replace(/\uFFFD+$/, "")}...`;
}

function commandText(command: CommandInfo): string {
  if (command.shell) return command.value === "" ? "NO COMMAND" : `sh -c '${cut(command.value)}'`;
  return command.value === "" ? "NO EXECUTABLE" : `[${cut([command.value, ...command.arguments].join(", "))}]`;
}

/**
 * The executor that a command task is shown under (mesos-agent-behaviour §5.4). No such process exists here: the agent
 * is the executor. What C++ agents grant theirs, the container has all the same (model/command-share.ts).
 */
export function generateCommandExecutor(framework: FrameworkInfo, task: TaskInfo): ExecutorInfo {
  const id = idOf(task.taskId);
  const { command } = task;
  if (command === undefined) throw new Error(`task ${id} has neither a command nor an executor`);
  return create(ExecutorInfoSchema, {
    executorId: { value: id },
    ...(framework.id && { frameworkId: framework.id }),
    name: `Command Executor (Task: ${id}) (Command: ${commandText(command)})`,
    source: id,
    command,
    ...(task.container && { container: task.container }),
    ...(task.labels && { labels: task.labels }),
    ...(task.discovery && { discovery: task.discovery }),
  });
}
