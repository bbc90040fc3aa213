import { has } from "../mesos/codec.ts";
import {
  type CheckInfo,
  CheckInfo_Type,
  type CommandInfo,
  type ContainerInfo,
  type Environment,
  Environment_Variable_Type,
  type HealthCheck,
  HealthCheck_Type,
  type Resource,
  type TaskInfo,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";

/** What a 1.11 master refuses a task for with TASK_ERROR, beside its ids and resources (facts of its common/validation). */

type Problems = Generator<string>;

function* durationProblems(fields: Readonly<Record<string, number>>): Problems {
  for (const [name, value] of Object.entries(fields)) if (!(value >= 0)) yield `Expecting '${name}' to be non-negative`;
}

function* commandProblems(what: string, command: CommandInfo | undefined): Problems {
  if (command === undefined) yield `Expecting 'command' to be set for ${what}`;
  else if (!has(command, "value"))
    yield `${what} must contain ${command.shell ? "'shell command'" : "'executable path'"}`;
}

function* httpProblems(what: string, http: { readonly path: string } | undefined): Problems {
  if (http === undefined) yield `Expecting 'http' to be set for ${what}`;
  else if (http.path !== "" && !http.path.startsWith("/"))
    yield `The path '${http.path}' of ${what} must start with '/'`;
}

function* healthCheckProblems(check: HealthCheck): Problems {
  const { type, delaySeconds, gracePeriodSeconds, intervalSeconds, timeoutSeconds } = check;
  if (!has(check, "type")) yield "HealthCheck must specify 'type'";
  else if (type === HealthCheck_Type.COMMAND) yield* commandProblems("COMMAND health check", check.command);
  else if (type === HealthCheck_Type.HTTP) {
    yield* httpProblems("HTTP health check", check.http);
    const scheme = check.http?.scheme || "http";
    if (scheme !== "http" && scheme !== "https") yield `Unsupported HTTP health check scheme: '${scheme}'`;
  } else if (type === HealthCheck_Type.TCP) {
    if (check.tcp === undefined) yield "Expecting 'tcp' to be set for TCP health check";
  } else yield "The type of the health check is not supported";
  yield* durationProblems({
    delay_seconds: delaySeconds,
    grace_period_seconds: gracePeriodSeconds,
    interval_seconds: intervalSeconds,
    timeout_seconds: timeoutSeconds,
  });
}

function* checkProblems(check: CheckInfo): Problems {
  const { type, delaySeconds, intervalSeconds, timeoutSeconds } = check;
  if (!has(check, "type")) yield "CheckInfo must specify 'type'";
  else if (type === CheckInfo_Type.COMMAND) yield* commandProblems("COMMAND check", check.command?.command);
  else if (type === CheckInfo_Type.HTTP) yield* httpProblems("HTTP check", check.http);
  else if (type === CheckInfo_Type.TCP) {
    if (check.tcp === undefined) yield "Expecting 'tcp' to be set for TCP check";
  } else yield "The type of the check is not supported";
  yield* durationProblems({
    delay_seconds: delaySeconds,
    interval_seconds: intervalSeconds,
    timeout_seconds: timeoutSeconds,
  });
}

function* environmentProblems(environment: Environment | undefined): Problems {
  for (const variable of environment?.variables ?? []) {
    const { name, type } = variable;
    if (type === Environment_Variable_Type.SECRET) {
      if (variable.secret === undefined) yield `Environment variable '${name}' of type 'SECRET' must have a secret set`;
      if (has(variable, "value")) yield `Environment variable '${name}' of type 'SECRET' must not have a value set`;
    } else if (type === Environment_Variable_Type.VALUE) {
      if (!has(variable, "value")) yield `Environment variable '${name}' of type 'VALUE' must have a value set`;
      if (variable.secret !== undefined)
        yield `Environment variable '${name}' of type 'VALUE' must not have a secret set`;
    } else yield "Environment variable of type 'UNKNOWN' is not allowed";
  }
}

function* containerProblems(container: ContainerInfo | undefined): Problems {
  for (const volume of container?.volumes ?? [])
    if (has(volume, "hostPath") && volume.source !== undefined)
      yield "Invalid volume: 'host_path' and 'source' are both set";
  if (container?.docker?.parameters.some(({ key }) => key === "name"))
    yield "Parameter in DockerInfo must not be 'name'";
}

/** Ranges may touch, in whatever order, but not overlap. */
function* rangeProblems({ name, ranges }: Resource): Problems {
  const list = (ranges?.range ?? []).toSorted((left, right) => (left.begin < right.begin ? -1 : 1));
  const hasOverlap = list.some(({ begin }, at) => begin <= (list[at - 1]?.end ?? -1n));
  if (!hasOverlap) return;
  const shown = ranges?.range.map(({ begin, end }) => `${begin}-${end}`).join(", ");
  yield `Resource '${name}:[${shown}]' is invalid: Invalid ranges resource: overlapping ranges`;
}

function* taskProblems(task: TaskInfo): Problems {
  const { command, executor, healthCheck, check, killPolicy, maxCompletionTime } = task;
  if (healthCheck !== undefined) yield* healthCheckProblems(healthCheck);
  if (check !== undefined) yield* checkProblems(check);
  if ((killPolicy?.gracePeriod?.nanoseconds ?? 0n) < 0n) yield "Task's 'kill_policy.grace_period' must be non-negative";
  if ((maxCompletionTime?.nanoseconds ?? 0n) < 0n) yield "Task's 'max_completion_time' must be non-negative";
  for (const each of [command, executor?.command, check?.command?.command, healthCheck?.command])
    yield* environmentProblems(each?.environment);
  for (const resource of [...task.resources, ...(executor?.resources ?? [])]) yield* rangeProblems(resource);
  for (const each of [task.container, executor?.container]) yield* containerProblems(each);
}

/** Why a 1.11 master would not launch the task; undefined when it would. */
export const taskProblem = (task: TaskInfo): string | undefined => taskProblems(task).next().value ?? undefined;
