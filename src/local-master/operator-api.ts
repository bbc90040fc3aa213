import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
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
  Response_Type,
  ResponseSchema,
} from "../mesos/gen/mesos/v1/master/master_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { decodeForeignJson, encodeJson } from "../mesos/json.ts";
import type { Cluster } from "./cluster.ts";
import type { Draining } from "./draining.ts";
import type { Frameworks } from "./frameworks.ts";
import { answerOf, bodyType, JSON_TYPE, LARGEST_CALL, type Outcome, outcome, PROTOBUF_TYPE } from "./negotiation.ts";
import type { OperatorOperations } from "./operations.ts";
import { agentsMessage, executorsMessage, frameworksMessage, rolesInit, tasksMessage } from "./operator-messages.ts";
import type { Routes } from "./routes.ts";
import { type MasterFacts, metricsJson } from "./state-json.ts";

export interface OperatorApiOptions {
  readonly cluster: Cluster;
  readonly frameworks: Frameworks;
  readonly draining: Draining;
  readonly operations: OperatorOperations;
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
type Reading = (options: OperatorApiOptions) => Reply;

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
  // Nothing here logs at another level than 0.
  [Call_Type.GET_LOGGING_LEVEL]: () => ({ type: Response_Type.GET_LOGGING_LEVEL, getLoggingLevel: { level: 0 } }),
  [Call_Type.GET_STATE]: ({ cluster }) => ({
    type: Response_Type.GET_STATE,
    getState: {
      getTasks: tasksMessage(cluster),
      getExecutors: executorsMessage(cluster),
      getFrameworks: frameworksMessage(cluster),
      getAgents: agentsMessage(cluster),
    },
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
  // Every role weighs the same here, and none has a quota; nor does anybody plan maintenance.
  [Call_Type.GET_WEIGHTS]: () => ({ type: Response_Type.GET_WEIGHTS, getWeights: {} }),
  [Call_Type.GET_QUOTA]: () => ({ type: Response_Type.GET_QUOTA, getQuota: { status: {} } }),
  [Call_Type.GET_MAINTENANCE_STATUS]: () => ({
    type: Response_Type.GET_MAINTENANCE_STATUS,
    getMaintenanceStatus: { status: {} },
  }),
  [Call_Type.GET_MAINTENANCE_SCHEDULE]: () => ({
    type: Response_Type.GET_MAINTENANCE_SCHEDULE,
    getMaintenanceSchedule: { schedule: {} },
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

async function post(options: OperatorApiOptions, request: HttpRequest): Promise<Answer> {
  const call = await callOf(request);
  if ("status" in call) return answerOf(call);
  const type = firstAccepted(request.header("accept"), [JSON_TYPE, PROTOBUF_TYPE]);
  if (type === undefined)
    return answerOf(outcome(406, `Expecting 'Accept' to allow '${PROTOBUF_TYPE}' or '${JSON_TYPE}'`));
  const reading = READINGS[call.type];
  if (reading === undefined) {
    const change = CHANGES[call.type];
    const name = enumName(Call_TypeSchema, call.type);
    return answerOf(change?.(options, call) ?? outcome(501, `${name} is not implemented by this development master`));
  }
  const response = create(ResponseSchema, reading(options));
  const body = type === JSON_TYPE ? encodeJson(ResponseSchema, response) : encode(ResponseSchema, response);
  return { kind: "body", type, body: Buffer.from(body) };
}

/** POST /api/v1: the operator API, as far as this master can answer. */
export function serveOperatorApi(routes: Routes, options: OperatorApiOptions): void {
  routes.post(["/api/v1", "/master/api/v1"], (request) => post(options, request));
}
