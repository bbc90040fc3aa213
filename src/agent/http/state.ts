import type { Pace } from "../../base/pace.ts";
import { bodyOf, type Pieces } from "../../http/paced-body.ts";
import { attributesSummary } from "../../mesos/attributes.ts";
import { enumName, has } from "../../mesos/codec.ts";
import {
  AgentInfoSchema,
  DrainConfigSchema,
  ExecutorInfo_TypeSchema,
  type Resource,
  ResourceSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { finite, type Json } from "../../mesos/json-text.ts";
import { reservationRole } from "../../mesos/reservations.ts";
import type { Resources } from "../../mesos/resources.ts";
import { resourcesSummary } from "../../mesos/resources-text.ts";
import { frameworkCan } from "../../mesos/states.ts";
import { allocated, type ExecutorRecord, type FrameworkRecord, type TaskRecord, tasksIn } from "../model/records.ts";
import { sharedBody } from "./shared-body.ts";
import { sumOf } from "./sums.ts";
import {
  allocatedRole,
  type JsonObject,
  labelsJson,
  messageJson,
  queuedTaskText,
  resourcesJson,
  taskText,
} from "./task-json.ts";
import type { AgentSnapshot, AgentView, BuildFacts } from "./view.ts";

const seconds = (milliseconds: number): number => milliseconds / 1000;

/** `2015-09-10 09:23:16`, in UTC. */
const dateText = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ");

/** The keys of /version, which /state begins with. */
export function buildJson(build: BuildFacts): JsonObject {
  return {
    version: build.version,
    ...(build.release === undefined ? {} : { release: build.release }),
    ...(build.gitSha === undefined ? {} : { git_sha: build.gitSha }),
    ...(build.gitTag === undefined ? {} : { git_tag: build.gitTag }),
    build_date: dateText(build.buildTime),
    build_time: seconds(build.buildTime),
    build_user: build.buildUser,
  };
}

/** An element of a long array: one piece, or an object that has long arrays itself. */
type Element = string | Pieces;

/** An object whose last members are long arrays. An array's elements were chosen when it is handed over. */
function* objectOf(head: JsonObject, arrays: Readonly<Record<string, Iterable<Element>>>): Pieces {
  yield JSON.stringify(head).slice(0, -1);
  let separator = Object.keys(head).length === 0 ? "" : ",";
  for (const [name, elements] of Object.entries(arrays)) {
    yield `${separator}${JSON.stringify(name)}:[`;
    let between = "";
    for (const element of elements) {
      if (typeof element === "string") yield between + element;
      else {
        yield between;
        yield* element;
      }
      between = ",";
    }
    yield "]";
    separator = ",";
  }
  yield "}";
}

function* elementsOf<T>(records: readonly T[], show: (record: T) => Element): Generator<Element> {
  for (const record of records) yield show(record);
}

const launchedText = ({ task }: TaskRecord): string => taskText(task);

const queuedText = ({ info, task }: TaskRecord): string => (info === undefined ? taskText(task) : queuedTaskText(info));

/** An executor of so few tasks is one piece. Those of command tasks are the thousands of a large state: ten pieces for each cost half of it. */
const FEW_TASKS = 4;

/** A task is in one of its lists, whatever becomes of it meanwhile. */
function executorPieces(executor: ExecutorRecord): Element {
  const { info } = executor;
  const resources = resourcesJson(allocated(executor));
  const shown: JsonObject = {
    id: executor.executorId,
    name: info.name,
    source: info.source,
    container: executor.containerId,
    directory: executor.directory,
    resources,
  };
  const role = roleOf(executor);
  if (role !== undefined) shown["role"] = role;
  if (info.labels !== undefined) shown["labels"] = labelsJson(info.labels.labels);
  if (has(info, "type")) shown["type"] = enumName(ExecutorInfo_TypeSchema, info.type);
  const launched = tasksIn(executor, "launched");
  const queued = tasksIn(executor, "queued");
  const completed = [...executor.completed, ...tasksIn(executor, "terminated")];
  if (launched.length + queued.length + completed.length <= FEW_TASKS) {
    // What a command task has is all that its executor has.
    const isAll = executor.kind === "command" && launched.length === 1 && queued.length === 0;
    const tasks = launched.map(({ task }) => taskText(task, isAll ? resources : undefined)).join(",");
    const lists =
      `"tasks":[${tasks}],"queued_tasks":[${queued.map(queuedText).join(",")}],` +
      `"completed_tasks":[${completed.map(launchedText).join(",")}]`;
    return `${JSON.stringify(shown).slice(0, -1)},${lists}}`;
  }
  return objectOf(shown, {
    tasks: elementsOf(launched, launchedText),
    queued_tasks: elementsOf(queued, queuedText),
    completed_tasks: elementsOf(completed, launchedText),
  });
}

/** Its own, or that of its tasks: those of a command task are all that its executor has. */
function roleOf({ info, tasks, completed }: ExecutorRecord): string | undefined {
  let role = allocatedRole(info.resources);
  for (const { task } of tasks.values()) role ??= allocatedRole(task.resources);
  for (const { task } of completed) role ??= allocatedRole(task.resources);
  return role;
}

function frameworkPieces(framework: FrameworkRecord): Pieces {
  const { info } = framework;
  const shown = {
    id: framework.frameworkId,
    name: info.name,
    user: info.user,
    failover_timeout: finite(info.failoverTimeout),
    checkpoint: info.checkpoint,
    hostname: info.hostname,
    ...(has(info, "principal") ? { principal: info.principal } : {}),
    ...(frameworkCan(info, "MULTI_ROLE") ? { roles: info.roles } : { role: info.role }),
  };
  return objectOf(shown, {
    executors: elementsOf([...framework.executors.values()], executorPieces),
    completed_executors: elementsOf([...framework.completedExecutors], executorPieces),
  });
}

const summary = (resources: Resources): JsonObject => ({ ...resourcesSummary(resources) });

function byRole(
  resources: Resources,
  mayShow: AgentSnapshot["mayShowRole"],
  show: (part: Resources) => Json,
): JsonObject {
  const reserved = resources.reserved();
  const roles = new Set([...reserved.entries()].map(({ kind }) => reservationRole(kind)));
  const shown = [...roles].filter((role) => mayShow?.(role) ?? true).sort();
  return Object.fromEntries(shown.map((role) => [role, show(reserved.reserved(role))]));
}

const full = (resources: Resources): Json =>
  resources.toMessages("endpoint").map((resource) => messageJson(ResourceSchema, resource));

function resourcesPart({ total, frameworks, mayShowRole }: AgentSnapshot): JsonObject {
  const taken = sumOf(allocatedBy(frameworks));
  return {
    resources: summary(total),
    reserved_resources: byRole(total, mayShowRole, summary),
    unreserved_resources: summary(total.unreserved()),
    reserved_resources_full: byRole(total, mayShowRole, full),
    unreserved_resources_full: full(total.unreserved()),
    reserved_resources_allocated: byRole(taken, mayShowRole, summary),
    unreserved_resources_allocated: summary(taken.unreserved()),
    resource_providers: [],
  };
}

/** One after the other: thousands of tasks make no list of what is only summed. */
function* allocatedBy(frameworks: readonly FrameworkRecord[]): Generator<Resource> {
  for (const { executors } of frameworks) for (const executor of executors.values()) yield* allocated(executor);
}

type StateView = Pick<AgentView, "build" | "flags" | "logDir" | "externalLogFile" | "snapshot">;

/** The keys of every release from 0.24 to 1.11, in the order of 1.11. */
function statePieces(view: StateView): Pieces {
  const snapshot = view.snapshot();
  const { info, drain } = snapshot;
  const shown: JsonObject = {
    ...buildJson(view.build),
    start_time: seconds(snapshot.startTime),
    id: idOf(info.id),
    pid: snapshot.pid,
    hostname: info.hostname,
    capabilities: snapshot.capabilities,
  };
  if (info.domain !== undefined) shown["domain"] = messageJson(AgentInfoSchema, info)["domain"] ?? null;
  if (drain !== undefined) {
    shown["drain_config"] = messageJson(DrainConfigSchema, drain.config);
    shown["estimated_drain_start_time_seconds"] = Math.trunc(seconds(drain.since));
  }
  Object.assign(shown, resourcesPart(snapshot));
  shown["attributes"] = attributesSummary(info.attributes);
  if (snapshot.masterHostname !== undefined) shown["master_hostname"] = snapshot.masterHostname;
  if (view.logDir !== undefined) shown["log_dir"] = view.logDir;
  if (view.externalLogFile !== undefined) shown["external_log_file"] = view.externalLogFile;
  if (view.flags !== undefined) shown["flags"] = Object.fromEntries(view.flags);
  return objectOf(shown, {
    frameworks: elementsOf([...snapshot.frameworks], frameworkPieces),
    completed_frameworks: elementsOf([...snapshot.completedFrameworks], frameworkPieces),
  });
}

/** /state as JSON. In pieces: with thousands of tasks, pings and updates come in between. */
export const stateBytes = (view: StateView, pace?: Pace): Promise<Buffer> => bodyOf(statePieces(view), pace);

/** The same as text. */
export const stateText = async (view: StateView, pace?: Pace): Promise<string> =>
  (await stateBytes(view, pace)).toString();

/** The bytes of /state, for a request. */
export const stateBody = sharedBody((view) => stateBytes(view));
