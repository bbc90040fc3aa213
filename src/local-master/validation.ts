import { has } from "../mesos/codec.ts";
import {
  type CheckInfo,
  type CheckInfo_Http,
  CheckInfo_Type,
  type CommandInfo,
  type Environment,
  Environment_Variable_Type,
  type HealthCheck,
  type HealthCheck_HTTPCheckInfo,
  HealthCheck_Type,
  type Resource,
  type TaskInfo,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "../mesos/ids.ts";
import { containerProblems, secretProblems } from "./container-validation.ts";

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

function* httpProblems(what: string, http: CheckInfo_Http | HealthCheck_HTTPCheckInfo | undefined): Problems {
  if (http === undefined) yield `Expecting 'http' to be set for ${what}`;
  else if (Object.hasOwn(http, "path") && !http.path.startsWith("/"))
    yield `The path '${http.path}' of ${what} must start with '/'`;
}

function* healthCheckProblems(check: HealthCheck): Problems {
  const { type, delaySeconds, gracePeriodSeconds, intervalSeconds, timeoutSeconds } = check;
  if (!has(check, "type")) yield "HealthCheck must specify 'type'";
  else if (type === HealthCheck_Type.COMMAND) yield* commandProblems("COMMAND health check", check.command);
  else if (type === HealthCheck_Type.HTTP) {
    yield* httpProblems("HTTP health check", check.http);
    const { http } = check;
    const scheme = http !== undefined && has(http, "scheme") ? http.scheme : "http";
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
      for (const problem of variable.secret === undefined ? [] : secretProblems(variable.secret))
        yield `Environment variable '${name}' specifies an invalid secret: ${problem}`;
    } else if (type === Environment_Variable_Type.VALUE) {
      if (!has(variable, "value")) yield `Environment variable '${name}' of type 'VALUE' must have a value set`;
      if (variable.secret !== undefined)
        yield `Environment variable '${name}' of type 'VALUE' must not have a secret set`;
    } else yield "Environment variable of type 'UNKNOWN' is not allowed";
  }
}

/** Ranges may touch, in whatever order, but not overlap. */
function* rangeProblems({ name, ranges }: Resource): Problems {
  const list = (ranges?.range ?? []).toSorted((left, right) => (left.begin < right.begin ? -1 : 1));
  const hasOverlap = list.some(({ begin }, at) => begin <= (list[at - 1]?.end ?? -1n));
  if (!hasOverlap) return;
  const shown = ranges?.range.map(({ begin, end }) => `${begin}-${end}`).join(", ");
  yield `Resource '${name}:[${shown}]' is invalid: Invalid ranges resource: overlapping ranges`;
}

/** What a persistent volume must say of itself. */
export function* diskProblems({ disk, reservations, revocable, role }: Resource): Problems {
  if (disk === undefined) return;
  const { persistence, volume, source } = disk;
  if (persistence === undefined) {
    if (volume !== undefined) yield "Invalid DiskInfo: Non-persistent volume not supported";
    else if (source === undefined) yield "Invalid DiskInfo: DiskInfo is set but empty";
    return;
  }
  if (revocable !== undefined) yield "Persistent volumes cannot be created from revocable resources";
  if (reservations.length === 0 && (role === "" || role === "*"))
    yield "Persistent volumes cannot be created from unreserved resources";
  if (volume === undefined) yield "Expecting 'volume' to be set for persistent volume";
  else if (has(volume, "hostPath")) yield "Expecting 'host_path' to be unset for persistent volume";
  const problem = idProblem(persistence.id);
  if (problem !== undefined) yield `Invalid persistence ID for persistent volume: it ${problem}`;
}

/** The sum of a scalar, over all its reservations; undefined: none. */
function sumOf(resources: readonly Resource[], wanted: string): number | undefined {
  const own = resources.filter(({ name }) => name === wanted);
  return own.length === 0 ? undefined : own.reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0);
}

function* amountProblems(resources: readonly Resource[]): Problems {
  for (const resource of resources) {
    yield* rangeProblems(resource);
    yield* diskProblems(resource);
  }
  // Mesos counts in thousandths.
  if (Math.trunc((sumOf(resources, "gpus") ?? 0) * 1000) % 1000 !== 0)
    yield "Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer";
  for (const name of new Set(resources.map((each) => each.name))) {
    const kinds = new Set(
      resources.filter((each) => each.name === name).map(({ revocable }) => revocable === undefined),
    );
    if (kinds.size > 1) yield `Cannot use both revocable and non-revocable '${name}' at the same time`;
  }
}

const LIMITED = { cpus: "cpu", mem: "memory" } as const;

/** Limits are of processors and memory only, and not below what is asked for. */
function* limitProblems({ limits, resources }: TaskInfo): Problems {
  if (Object.keys(limits).some((name) => !Object.hasOwn(LIMITED, name)))
    yield "Only cpus and mem may be included in a task's resource limits";
  for (const [name, words] of Object.entries(LIMITED)) {
    const [limit, request] = [limits[name], sumOf(resources, name)];
    if (limit === undefined) continue;
    if (request === undefined) yield `When a ${words} limit is specified, a ${words} request must also be specified`;
    else if (limit.value < request) yield `The ${words} limit must be greater than or equal to the ${words} request`;
  }
}

function* taskProblems(task: TaskInfo): Problems {
  const { command, executor, healthCheck, check, killPolicy, maxCompletionTime } = task;
  if (healthCheck !== undefined) yield* healthCheckProblems(healthCheck);
  if (check !== undefined) yield* checkProblems(check);
  if ((killPolicy?.gracePeriod?.nanoseconds ?? 0n) < 0n) yield "Task's 'kill_policy.grace_period' must be non-negative";
  if ((maxCompletionTime?.nanoseconds ?? 0n) < 0n) yield "Task's 'max_completion_time' must be non-negative";
  for (const each of [command, executor?.command, check?.command?.command, healthCheck?.command])
    yield* environmentProblems(each?.environment);
  for (const resources of [task.resources, executor?.resources ?? []]) yield* amountProblems(resources);
  for (const each of [task.container, executor?.container]) yield* containerProblems(each);
  yield* limitProblems(task);
}

/** Why a 1.11 master would not launch the task; undefined when it would. */
export const taskProblem = (task: TaskInfo): string | undefined => taskProblems(task).next().value ?? undefined;
