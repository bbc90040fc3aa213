import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { every } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { LoggingLevel } from "../base/logging-level.ts";
import { firstAccepted } from "../http/accept.ts";
import type { Answer } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import { decodeForeign, encode, enumName, has } from "../mesos/codec.ts";
import { MOST_OBJECTS_OF_MASTER } from "../mesos/cost.ts";
import {
  type Call,
  Call_Type,
  Call_TypeSchema,
  CallSchema,
  EventSchema,
  Response_Type,
  ResponseSchema,
} from "../mesos/gen/mesos/v1/master/master_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { decodeForeignJson, encodeJson } from "../mesos/json.ts";
import type { Cluster } from "./cluster.ts";
import type { Draining } from "./draining.ts";
import { EventStream, HEARTBEAT_INTERVAL, type MediaType } from "./event-stream.ts";
import type { Frameworks } from "./frameworks.ts";
import type { LogFile } from "./log-file.ts";
import type { Maintenance } from "./maintenance.ts";
import { answerOf, bodyType, JSON_TYPE, LARGEST_CALL, type Outcome, outcome, PROTOBUF_TYPE } from "./negotiation.ts";
import type { OperatorOperations } from "./operations.ts";
import {
  agentsMessage,
  executorsMessage,
  frameworksMessage,
  rolesInit,
  stateMessage,
  tasksMessage,
} from "./operator-messages.ts";
import type { Quotas } from "./quota.ts";
import type { Routes } from "./routes.ts";
import { type MasterFacts, metricsJson } from "./state-json.ts";
import { updateWeights } from "./weights.ts";

export interface OperatorApiOptions {
  readonly cluster: Cluster;
  readonly frameworks: Frameworks;
  readonly draining: Draining;
  readonly operations: OperatorOperations;
  readonly quotas: Quotas;
  readonly maintenance: Maintenance;
  readonly logging: LoggingLevel;
  readonly logFile: LogFile;
  readonly facts: MasterFacts;
}

/** The member that each type must come with; the others have none. */
const MEMBERS: Partial<Record<Call_Type, keyof Call>> = {
  [Call_Type.GET_METRICS]: "getMetrics",
  [Call_Type.RESERVE_RESOURCES]: "reserveResources",
  [Call_Type.UNRESERVE_RESOURCES]: "unreserveResources",
  [Call_Type.CREATE_VOLUMES]: "createVolumes",
  [Call_Type.DESTROY_VOLUMES]: "destroyVolumes",
  [Call_Type.GROW_VOLUME]: "growVolume",
  [Call_Type.SHRINK_VOLUME]: "shrinkVolume",
  [Call_Type.DRAIN_AGENT]: "drainAgent",
  [Call_Type.DEACTIVATE_AGENT]: "deactivateAgent",
  [Call_Type.REACTIVATE_AGENT]: "reactivateAgent",
  [Call_Type.MARK_AGENT_GONE]: "markAgentGone",
  [Call_Type.TEARDOWN]: "teardown",
  [Call_Type.UPDATE_QUOTA]: "updateQuota",
  [Call_Type.SET_QUOTA]: "setQuota",
  [Call_Type.REMOVE_QUOTA]: "removeQuota",
  [Call_Type.UPDATE_WEIGHTS]: "updateWeights",
  [Call_Type.UPDATE_MAINTENANCE_SCHEDULE]: "updateMaintenanceSchedule",
  [Call_Type.START_MAINTENANCE]: "startMaintenance",
  [Call_Type.STOP_MAINTENANCE]: "stopMaintenance",
  [Call_Type.SET_LOGGING_LEVEL]: "setLoggingLevel",
  [Call_Type.LIST_FILES]: "listFiles",
  [Call_Type.READ_FILE]: "readFile",
};

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Why a call is refused with 400; undefined when it is well formed. */
export function operatorCallProblem(call: Call): string | undefined {
  if (!has(call, "type")) return "Expecting 'type' to be present";
  const member = MEMBERS[call.type];
  if (member !== undefined && call[member] === undefined) return `Expecting '${snakeCase(member)}' to be present`;
  return undefined;
}

type Reply = Omit<MessageInitShape<typeof ResponseSchema>, "$typeName" | "$unknown">;
type Reading = (options: OperatorApiOptions, call: Call) => Reply | Outcome | Promise<Reply | Outcome>;

async function readFile({ logFile }: OperatorApiOptions, { readFile: wanted }: Call): Promise<Reply | Outcome> {
  if (wanted === undefined) return outcome(400, "Expecting 'read_file' to be present");
  const length = has(wanted, "length") ? Number(wanted.length) : undefined;
  const part = await logFile.read(wanted.path, Number(wanted.offset), length);
  return "status" in part ? part : { type: Response_Type.READ_FILE, readFile: part };
}

/** The calls that show something. */
const READINGS: { readonly [Type in Call_Type]?: Reading } = {
  [Call_Type.GET_HEALTH]: () => ({ type: Response_Type.GET_HEALTH, getHealth: { healthy: true } }),
  [Call_Type.GET_FLAGS]: ({ facts }) => ({
    type: Response_Type.GET_FLAGS,
    getFlags: { flags: Object.entries(facts.flags).map(([name, value]) => ({ name, value })) },
  }),
  [Call_Type.GET_VERSION]: ({ cluster }) => ({
    type: Response_Type.GET_VERSION,
    getVersion: { versionInfo: { version: cluster.context.masterInfo.version } },
  }),
  [Call_Type.GET_METRICS]: ({ cluster, facts }) => ({
    type: Response_Type.GET_METRICS,
    getMetrics: {
      metrics: Object.entries(metricsJson(cluster, facts)).map(([name, value]) => ({ name, value: Number(value) })),
    },
  }),
  [Call_Type.GET_LOGGING_LEVEL]: ({ logging }) => ({
    type: Response_Type.GET_LOGGING_LEVEL,
    getLoggingLevel: { level: logging.level },
  }),
  [Call_Type.LIST_FILES]: ({ logFile }, call) => {
    const found = logFile.list(call.listFiles?.path ?? "");
    return "status" in found ? found : { type: Response_Type.LIST_FILES, listFiles: { fileInfos: [...found] } };
  },
  [Call_Type.READ_FILE]: readFile,
  [Call_Type.GET_STATE]: ({ cluster }) => ({
    type: Response_Type.GET_STATE,
    getState: stateMessage(cluster),
  }),
  [Call_Type.GET_AGENTS]: ({ cluster }) => ({ type: Response_Type.GET_AGENTS, getAgents: agentsMessage(cluster) }),
  [Call_Type.GET_FRAMEWORKS]: ({ cluster }) => ({
    type: Response_Type.GET_FRAMEWORKS,
    getFrameworks: frameworksMessage(cluster),
  }),
  [Call_Type.GET_EXECUTORS]: ({ cluster }) => ({
    type: Response_Type.GET_EXECUTORS,
    getExecutors: executorsMessage(cluster),
  }),
  [Call_Type.GET_OPERATIONS]: ({ cluster }) => ({
    type: Response_Type.GET_OPERATIONS,
    getOperations: { operations: [...cluster.operations.values()].map(({ operation }) => operation) },
  }),
  [Call_Type.GET_TASKS]: ({ cluster }) => ({ type: Response_Type.GET_TASKS, getTasks: tasksMessage(cluster) }),
  [Call_Type.GET_ROLES]: ({ cluster }) => ({ type: Response_Type.GET_ROLES, getRoles: { roles: rolesInit(cluster) } }),
  [Call_Type.GET_WEIGHTS]: ({ cluster }) => ({
    type: Response_Type.GET_WEIGHTS,
    getWeights: { weightInfos: [...cluster.weights].map(([role, weight]) => ({ role, weight })) },
  }),
  [Call_Type.GET_QUOTA]: ({ quotas }) => ({ type: Response_Type.GET_QUOTA, getQuota: { status: quotas.status } }),
  [Call_Type.GET_MAINTENANCE_STATUS]: ({ maintenance }) => ({
    type: Response_Type.GET_MAINTENANCE_STATUS,
    getMaintenanceStatus: { status: maintenance.status },
  }),
  [Call_Type.GET_MAINTENANCE_SCHEDULE]: ({ maintenance }) => ({
    type: Response_Type.GET_MAINTENANCE_SCHEDULE,
    getMaintenanceSchedule: { schedule: { windows: maintenance.windows } },
  }),
  [Call_Type.GET_MASTER]: ({ cluster, facts }) => ({
    type: Response_Type.GET_MASTER,
    getMaster: {
      masterInfo: cluster.context.masterInfo,
      startTime: facts.started / 1000,
      electedTime: facts.started / 1000,
    },
  }),
};

type Change = (options: OperatorApiOptions, call: Call) => Outcome;

/** Nanoseconds of a google.protobuf.Duration. */
const nanoseconds = ({ seconds, nanos }: { seconds: bigint; nanos: number }): bigint =>
  seconds * 1_000_000_000n + BigInt(nanos);

/** The calls that change something. Their members are there: `operatorCallProblem` has looked. */
const CHANGES: { readonly [Type in Call_Type]?: Change } = {
  [Call_Type.DRAIN_AGENT]: ({ draining }, { drainAgent: given }) => {
    const grace = given?.maxGracePeriod && nanoseconds(given.maxGracePeriod);
    return draining.drain(idOf(given?.agentId), grace, given?.markGone ?? false);
  },
  [Call_Type.DEACTIVATE_AGENT]: ({ draining }, call) => draining.deactivate(idOf(call.deactivateAgent?.agentId)),
  [Call_Type.REACTIVATE_AGENT]: ({ draining }, call) => draining.reactivate(idOf(call.reactivateAgent?.agentId)),
  [Call_Type.MARK_AGENT_GONE]: ({ draining }, call) => draining.markGone(idOf(call.markAgentGone?.agentId)),
  [Call_Type.RESERVE_RESOURCES]: ({ operations }, { reserveResources: given }) =>
    operations.reserve(idOf(given?.agentId), given?.resources ?? [], given?.source ?? []),
  [Call_Type.UNRESERVE_RESOURCES]: ({ operations }, { unreserveResources: given }) =>
    operations.unreserve(idOf(given?.agentId), given?.resources ?? []),
  [Call_Type.CREATE_VOLUMES]: ({ operations }, { createVolumes: given }) =>
    operations.createVolumes(idOf(given?.agentId), given?.volumes ?? []),
  [Call_Type.DESTROY_VOLUMES]: ({ operations }, { destroyVolumes: given }) =>
    operations.destroyVolumes(idOf(given?.agentId), given?.volumes ?? []),
  [Call_Type.GROW_VOLUME]: ({ operations }, { growVolume: given }) =>
    operations.growVolume(idOf(given?.agentId), given?.volume, given?.addition),
  [Call_Type.SHRINK_VOLUME]: ({ operations }, { shrinkVolume: given }) =>
    operations.shrinkVolume(idOf(given?.agentId), given?.volume, given?.subtract?.value ?? 0),
  [Call_Type.UPDATE_QUOTA]: ({ quotas }, { updateQuota: given }) =>
    quotas.update(given?.quotaConfigs ?? [], given?.force ?? false),
  [Call_Type.SET_QUOTA]: ({ quotas }, { setQuota: given }) => {
    const request = given?.quotaRequest;
    return request === undefined ? outcome(400, "Expecting 'quota_request' to be present") : quotas.set(request);
  },
  [Call_Type.REMOVE_QUOTA]: ({ quotas }, { removeQuota: given }) => quotas.remove(given?.role ?? ""),
  [Call_Type.UPDATE_MAINTENANCE_SCHEDULE]: ({ maintenance }, { updateMaintenanceSchedule: given }) => {
    const schedule = given?.schedule;
    return schedule === undefined ? outcome(400, "Expecting 'schedule' to be present") : maintenance.update(schedule);
  },
  [Call_Type.START_MAINTENANCE]: ({ maintenance }, call) => maintenance.start(call.startMaintenance?.machines ?? []),
  [Call_Type.STOP_MAINTENANCE]: ({ maintenance }, call) => maintenance.stop(call.stopMaintenance?.machines ?? []),
  [Call_Type.SET_LOGGING_LEVEL]: ({ logging }, { setLoggingLevel: given }) => {
    try {
      logging.set(given?.level ?? 0, Number((given?.duration?.nanoseconds ?? 0n) / 1_000_000n));
      return outcome(200);
    } catch (error) {
      return outcome(400, messageOf(error));
    }
  },
  [Call_Type.UPDATE_WEIGHTS]: ({ cluster }, { updateWeights: given }) =>
    updateWeights(cluster, given?.weightInfos ?? []),
  [Call_Type.TEARDOWN]: ({ cluster, frameworks }, call) => {
    const framework = cluster.frameworks.get(idOf(call.teardown?.frameworkId));
    if (framework === undefined) return outcome(400, "No framework found with specified ID");
    frameworks.teardown(framework, "an operator tore it down");
    return outcome(200);
  },
};

async function callOf(request: HttpRequest): Promise<Call | Outcome> {
  const type = bodyType(request);
  if (typeof type === "object") return type;
  const decoder = type === JSON_TYPE ? decodeForeignJson : decodeForeign;
  let call: Call;
  const body = await request.body(LARGEST_CALL);
  try {
    call = decoder(CallSchema, body, MOST_OBJECTS_OF_MASTER);
  } catch (error) {
    return outcome(400, `Failed to parse body into Call: ${messageOf(error)}`);
  }
  const problem = operatorCallProblem(call);
  return problem === undefined ? call : outcome(400, `Failed to validate master::Call: ${problem}`);
}

/** SUBSCRIBE: the stream is open until either side ends it. */
function subscribe({ cluster }: OperatorApiOptions, type: MediaType): Answer {
  const { clock, log } = cluster.context;
  return {
    kind: "open",
    type,
    headers: { "cache-control": "no-cache" },
    opened: (response) => {
      const stream = new EventStream("of an operator", EventSchema, response, type, log, () => {
        heartbeat.cancel();
        cluster.subscribers.remove(stream);
      });
      const heartbeat = every(clock, HEARTBEAT_INTERVAL, () => cluster.subscribers.heartbeat(stream));
      cluster.subscribers.add(stream);
    },
  };
}

async function post(options: OperatorApiOptions, request: HttpRequest): Promise<Answer> {
  const call = await callOf(request);
  if ("status" in call) return answerOf(call);
  const type = firstAccepted(request.header("accept"), [JSON_TYPE, PROTOBUF_TYPE]);
  if (type === undefined)
    return answerOf(outcome(406, `Expecting 'Accept' to allow '${PROTOBUF_TYPE}' or '${JSON_TYPE}'`));
  if (call.type === Call_Type.SUBSCRIBE) return subscribe(options, type);
  const reading = READINGS[call.type];
  if (reading === undefined) {
    const change = CHANGES[call.type];
    const name = enumName(Call_TypeSchema, call.type);
    return answerOf(change?.(options, call) ?? outcome(501, `${name} is not implemented by this development master`));
  }
  const reply = await reading(options, call);
  if ("status" in reply) return answerOf(reply);
  const response = create(ResponseSchema, reply);
  const body = type === JSON_TYPE ? encodeJson(ResponseSchema, response) : encode(ResponseSchema, response);
  return { kind: "body", type, body: Buffer.from(body) };
}

/** POST /api/v1: the operator API, as far as this master can answer. */
export function serveOperatorApi(routes: Routes, options: OperatorApiOptions): void {
  routes.post(["/api/v1", "/master/api/v1"], (request) => post(options, request));
}
