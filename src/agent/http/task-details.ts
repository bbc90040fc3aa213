import { arrayOf, type Pieces } from "../../http/paced-body.ts";
import { enumName, has } from "../../mesos/codec.ts";
import {
  CheckInfoSchema,
  CheckStatusInfoSchema,
  type CommandInfo,
  type ContainerInfo,
  ContainerInfo_DockerInfo_NetworkSchema,
  ContainerInfo_TypeSchema,
  ContainerStatusSchema,
  DiscoveryInfoSchema,
  HealthCheckSchema,
  TaskStatus_ReasonSchema,
  TaskStatus_SourceSchema,
  type Volume,
  Volume_ModeSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { finite } from "../../mesos/json-text.ts";
import { stateName } from "../../mesos/states.ts";
import type { ImagePull } from "../model/container.ts";
import type { StatusEvent } from "../model/history.ts";
import { type ExecutorRecord, type FrameworkRecord, type TaskRecord, tasksIn } from "../model/records.ts";
import { describeWaitStatus, parseWaitStatus } from "../model/wait-status.ts";
import { imageOf, launchWords } from "../model/waiting.ts";
import { type JsonObject, labelsJson, messageJson, resourcesJson } from "./task-json.ts";
import type { AgentSnapshot } from "./view.ts";

/**
 * What /state has no place for: why a task ended, what it waits for, what happened to it and when. The list is small enough
 * to be asked for every few seconds; what one task consists of is given for that task alone.
 */
interface Place {
  readonly framework: FrameworkRecord;
  /** undefined while a task waits for an executor. */
  readonly executor: ExecutorRecord | undefined;
  readonly task: TaskRecord;
}

export interface WantedTask {
  readonly frameworkId: string | undefined;
  readonly containerId: string | undefined;
  readonly taskId: string;
}

function* everyTask(snapshot: AgentSnapshot): Generator<Place> {
  for (const framework of [...snapshot.frameworks, ...snapshot.completedFrameworks]) {
    for (const task of framework.pending.values()) yield { framework, executor: undefined, task };
    for (const executor of [...framework.executors.values(), ...framework.completedExecutors]) {
      for (const task of [...executor.tasks.values(), ...executor.completed]) yield { framework, executor, task };
    }
  }
}

const defined = (pairs: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== undefined && value !== ""));

function eventJson({ state, timestamp, message, reason, source, healthy }: StatusEvent): JsonObject {
  return defined({
    state: stateName(state),
    timestamp: finite(timestamp),
    message,
    reason: reason === undefined ? "" : enumName(TaskStatus_ReasonSchema, reason),
    source: source === undefined ? "" : enumName(TaskStatus_SourceSchema, source),
    ...(healthy !== undefined && { healthy }),
  });
}

/** The events of a task: as they were, or as far as the statuses tell that Mesos keeps. */
function historyOf({ task, history }: TaskRecord): JsonObject[] {
  if (history !== undefined && history.length > 0) return history.map(eventJson);
  return task.statuses.map((status) =>
    eventJson({
      state: status.state,
      timestamp: status.timestamp,
      message: status.message,
      reason: has(status, "reason") ? status.reason : undefined,
      source: has(status, "source") ? status.source : undefined,
      healthy: has(status, "healthy") ? status.healthy : undefined,
    }),
  );
}

/** How its process ended, as numbers and in words. */
function endJson(waitStatus: number | undefined): JsonObject {
  if (waitStatus === undefined) return {};
  const end = parseWaitStatus(waitStatus);
  const figure = end.kind === "exited" ? { exit_code: end.code } : { signal: end.signal };
  return { ...figure, exit: describeWaitStatus(waitStatus) };
}

/** What a task that does not run yet waits for; undefined once it runs. */
function waitingFor({ executor, task }: Place, pulls: readonly ImagePull[]): string | undefined {
  if (task.bucket === "pending") return "waiting for its executor to be chosen";
  if (task.bucket !== "queued" || executor === undefined) return undefined;
  const { launching } = executor;
  if (launching === undefined) return "waiting for its executor to register";
  return launchWords(launching, imageOf(task.info?.container ?? task.task.container ?? executor.info.container), pulls);
}

/** A task in the list. Times are seconds since the epoch. */
function briefJson(place: Place, pulls: readonly ImagePull[]): JsonObject {
  const { framework, executor, task } = place;
  const history = historyOf(task);
  const last = history.at(-1) ?? {};
  const waiting = waitingFor(place, pulls);
  return defined({
    framework_id: framework.frameworkId,
    executor_id: executor?.executorId ?? "",
    container_id: executor?.containerId ?? "",
    task_id: task.taskId,
    state: stateName(task.task.state),
    ...(task.runningSince !== undefined && { running_since: task.runningSince / 1000 }),
    message: last["message"] ?? "",
    reason: last["reason"] ?? "",
    source: last["source"] ?? "",
    ...endJson(task.waitStatus),
    ...(waiting !== undefined && {
      waiting,
      ...(executor?.launching !== undefined && { waiting_since: executor.launching.since / 1000 }),
    }),
  });
}

/** Names only: values are where passwords are. */
const variableNames = (command: CommandInfo | undefined): string[] =>
  command?.environment?.variables.map(({ name }) => name) ?? [];

function commandPart(command: CommandInfo | undefined): JsonObject {
  if (command === undefined) return {};
  return {
    command: defined({
      shell: command.shell,
      value: command.value,
      ...(command.arguments.length > 0 && { arguments: command.arguments }),
      user: command.user,
      uris: command.uris.map(({ value }) => withoutPassword(value)),
    }),
    environment: variableNames(command),
  };
}

const withoutPassword = (uri: string): string => uri.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, "$1");

/** Docker parameters are shown by name: `env` and its like have values that are nobody's business. */
function containerPart(container: ContainerInfo | undefined): JsonObject {
  if (container === undefined) return {};
  const { docker } = container;
  const network = docker !== undefined && has(docker, "network") ? docker.network : undefined;
  return {
    container: defined({
      type: enumName(ContainerInfo_TypeSchema, container.type),
      image: imageOf(container) ?? "",
      network: network === undefined ? "" : enumName(ContainerInfo_DockerInfo_NetworkSchema, network),
      ...(docker?.privileged && { privileged: true }),
      ...(docker?.forcePullImage && { force_pull_image: true }),
      parameters: [...new Set(docker?.parameters.map(({ key }) => key) ?? [])],
      port_mappings:
        docker?.portMappings.map(({ hostPort, containerPort, protocol }) =>
          defined({ host_port: hostPort, container_port: containerPort, protocol }),
        ) ?? [],
      volumes: container.volumes.map(volumeJson),
    }),
  };
}

function checksPart({ info, task }: TaskRecord): JsonObject {
  const health = info?.healthCheck ?? task.healthCheck;
  const status = task.statuses.findLast(({ checkStatus }) => checkStatus !== undefined)?.checkStatus;
  return {
    ...(health !== undefined && { health_check: withoutValues(messageJson(HealthCheckSchema, health)) }),
    ...(info?.check !== undefined && { check: withoutValues(messageJson(CheckInfoSchema, info.check)) }),
    ...(status !== undefined && { check_status: messageJson(CheckStatusInfoSchema, status) }),
  };
}

/** A check, of its command only what is run: environment and URIs have passwords in them. */
function withoutValues(check: JsonObject): JsonObject {
  const copy = structuredClone(check) as { command?: JsonObject & { command?: JsonObject } };
  for (const command of [copy.command, copy.command?.command]) {
    delete command?.["environment"];
    delete command?.["uris"];
  }
  return copy as JsonObject;
}

/** Where a volume comes from, without the secrets that its driver may be told. */
const volumeJson = ({ mode, containerPath, hostPath, source }: Volume): JsonObject =>
  defined({
    container_path: containerPath,
    host_path: hostPath || source?.hostPath?.path || "",
    driver: source?.dockerVolume?.driver ?? "",
    name: source?.dockerVolume?.name ?? "",
    mode: enumName(Volume_ModeSchema, mode),
  });

const seconds = (nanoseconds: bigint | undefined): number | undefined =>
  nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e9;

function fullJson(place: Place, pulls: readonly ImagePull[]): JsonObject {
  const { framework, executor, task: record } = place;
  const { info, task } = record;
  const command = info?.command ?? executor?.info.command;
  const labels = info?.labels ?? task.labels;
  const discovery = info?.discovery ?? task.discovery;
  const grace = seconds(info?.killPolicy?.gracePeriod?.nanoseconds);
  const longest = seconds(info?.maxCompletionTime?.nanoseconds);
  const limits = Object.entries(info?.limits ?? task.limits).map(([name, { value }]) => [
    name,
    value === Number.POSITIVE_INFINITY ? "unlimited" : finite(value),
  ]);
  return {
    ...briefJson(place, pulls),
    name: task.name,
    framework_name: framework.info.name,
    ...(executor !== undefined && { executor_name: executor.info.name, executor_source: executor.info.source }),
    role: task.resources.find(({ allocationInfo }) => allocationInfo !== undefined)?.allocationInfo?.role ?? "",
    user: info?.command?.user || task.user || framework.info.user,
    directory: executor?.directory ?? "",
    checkpoint: framework.info.checkpoint,
    history: historyOf(record),
    ...commandPart(command),
    ...containerPart(info?.container ?? task.container ?? executor?.info.container),
    resources: resourcesJson(task.resources),
    limits: Object.fromEntries(limits) as JsonObject,
    labels: labelsJson(labels?.labels ?? []),
    ...(discovery !== undefined && { discovery: messageJson(DiscoveryInfoSchema, discovery) }),
    ...checksPart(record),
    ...(grace !== undefined && { kill_grace: grace }),
    ...(longest !== undefined && { max_completion_time: longest }),
    ...(executor?.containerStatus !== undefined && {
      container_status: messageJson(ContainerStatusSchema, executor.containerStatus),
    }),
    ...(executor !== undefined && { siblings: tasksIn(executor, "launched").length }),
  };
}

function isWanted({ framework, executor, task }: Place, { taskId, frameworkId, containerId }: WantedTask): boolean {
  return (
    task.taskId === taskId &&
    (frameworkId === undefined || framework.frameworkId === frameworkId) &&
    (containerId === undefined || containerId === executor?.containerId)
  );
}

/** The body of /tasks: every task with why and since when; with `wanted`, all that is known of the one that it names. */
export function* tasksText(
  snapshot: AgentSnapshot,
  pulls: readonly ImagePull[],
  wanted: WantedTask | undefined,
): Pieces {
  const places: Place[] = [];
  for (const place of everyTask(snapshot)) if (wanted === undefined || isWanted(place, wanted)) places.push(place);
  const show = wanted === undefined ? briefJson : fullJson;
  yield '{"tasks":';
  yield* arrayOf(places, (place) => JSON.stringify(show(place, pulls)));
  yield "}";
}
