import type {
  CommandInfo,
  ExecutorInfo,
  FrameworkInfo,
  Resource,
  Task,
  TaskInfo,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** The user by whom an object is decided, where Mesos looks for it. */
export const frameworkUser = ({ user }: FrameworkInfo): string => user;

/** An empty name is none: it then runs as the next in line, and that one is to be decided by. */
const userOf = (command: CommandInfo | undefined): string | undefined => command?.user || undefined;

export const executorUser = ({ command }: ExecutorInfo, framework: FrameworkInfo): string =>
  userOf(command) ?? framework.user;

export const taskUser = (task: Task, framework: FrameworkInfo): string => task.user || framework.user;

/** Of a task that is to be launched. */
export const launchedTaskUser = ({ command, executor }: TaskInfo, framework: FrameworkInfo): string =>
  userOf(command) ?? userOf(executor?.command) ?? framework.user;

/** The user that a command names; undefined: none. */
export const commandUser = userOf;

/** Every role that a resource tells of: reservations follow each other, and the allocation's is told too. */
export function rolesOf({ role, reservations, allocationInfo }: Resource): string[] {
  const own = role === "" || role === "*" ? [] : [role];
  const allocated = allocationInfo === undefined ? [] : [allocationInfo.role];
  return [...own, ...reservations.map((one) => one.role), ...allocated];
}
