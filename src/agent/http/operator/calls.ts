import { create } from "@bufbuild/protobuf";
import { nanosecondsOf } from "../../../base/duration.ts";
import { messageOf, UserError } from "../../../base/errors.ts";
import { type Answer, text } from "../../../http/answer.ts";
import { RECORDIO } from "../../../http/request.ts";
import { CROSS_ORIGIN } from "../../../http/site.ts";
import { decodeForeign, enumName, has } from "../../../mesos/codec.ts";
import { MOST_OBJECTS } from "../../../mesos/cost.ts";
import {
  type Call,
  Call_Type,
  Call_TypeSchema,
  CallSchema,
  Response_ListFilesSchema,
  Response_Type,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import {
  type CommandInfo,
  type ContainerID,
  type FileInfo,
  FileInfoSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { decodeForeignJson } from "../../../mesos/json.ts";
import { listOf } from "../../../mesos/long-message.ts";
import { containerCalls } from "../containers/calls.ts";
import { FilesError } from "../files/attached.ts";
import { type ListedFile, listFolder, readPart } from "../files/listing.ts";
import type { Permission, Wanted } from "../permission.ts";
import { sessionCall } from "../sessions/calls.ts";
import { callAsks } from "./asks.ts";
import {
  containersMessage,
  executorsMessage,
  frameworksMessage,
  stateMessage,
  tasksMessage,
} from "./containers-and-tasks.ts";
import type { Handler, OperatorParts, Reply } from "./handler.ts";
import type { Encoding, Negotiated } from "./negotiate.ts";
import { longReply, reply } from "./reply.ts";

/** What one call may do. */
export interface Caller extends OperatorParts {
  /** As the realm of all calls lets it in. */
  readonly permission: Permission;
  /** As a realm of pages does, or the answer to it. */
  readonly permissionIn: (realm: "readonly") => Promise<Permission | { readonly answer: Answer }>;
  /** Whether the request may change something: pages of origins that nobody named only read. */
  readonly mayChange: boolean;
  /** Waits for a turn at the rate of the page that shows the same; false: too many wait. */
  readonly pass: (path: "/slave(1)/containers" | "/metrics/snapshot") => Promise<boolean>;
  /** The address that it comes from. */
  readonly peer: string | undefined;
}

/** Calls that show what only readers may see: the pages that show the same are in the realm of readers. */
const isReading = (type: Call_Type): boolean => !UNREAD.has(type);
const UNREAD = new Set<Call_Type>([Call_Type.GET_HEALTH, Call_Type.GET_VERSION, Call_Type.SET_LOGGING_LEVEL]);

/** Calls that change nothing, by their names. */
const ONLY_SHOWS = /^(GET|LIST|READ|WAIT)_/;

/** Calls that cost as much as the pages that show the same, whose rate they share. */
const LIMITED = new Map<Call_Type, Parameters<Caller["pass"]>[0]>([
  [Call_Type.GET_CONTAINERS, "/slave(1)/containers"],
  [Call_Type.GET_METRICS, "/metrics/snapshot"],
]);

const nanoseconds = (milliseconds: number) => ({ nanoseconds: nanosecondsOf(milliseconds) });

function member<Name extends "setLoggingLevel" | "listFiles" | "readFile" | "getMetrics" | "getContainers">(
  call: Call,
  name: Name,
): NonNullable<Call[Name]> {
  const value = call[name];
  if (value !== undefined) return value as NonNullable<Call[Name]>;
  const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  throw new UserError(`Expecting '${field}' to be present`);
}

const milliseconds = (duration: { nanoseconds: bigint } | undefined): number | undefined =>
  duration === undefined ? undefined : Number(duration.nanoseconds / 1000n) / 1000;

async function listFiles({ files }: OperatorParts, call: Call): Promise<Reply> {
  const { path } = member(call, "listFiles");
  const entries: ListedFile[] = [];
  await listFolder(
    path,
    () => files.open(path),
    (entry) => entries.push(entry),
  );
  return {
    type: Response_Type.LIST_FILES,
    long: { listFiles: { schema: Response_ListFilesSchema, parts: { fileInfos: listOf(entries, fileInfo) } } },
  };
}

const fileInfo = ({ path, nlink, size, mtime, modeBits, uid, gid }: ListedFile): FileInfo =>
  create(FileInfoSchema, {
    ...{ path, nlink, uid, gid },
    size: BigInt(size),
    mtime: nanoseconds(mtime * 1000),
    mode: modeBits,
  });

async function readFile({ files }: OperatorParts, call: Call): Promise<Reply> {
  const wanted = member(call, "readFile");
  const length = has(wanted, "length") ? Number(wanted.length) : undefined;
  const { data, size } = await readPart(await files.open(wanted.path), Number(wanted.offset), length);
  return { type: Response_Type.READ_FILE, readFile: { size: BigInt(size), data: new Uint8Array(data) } };
}

/** The calls that are answered; all others of the enum get 501. */
const handlers: { readonly [Type in Call_Type]?: Handler } = {
  [Call_Type.GET_HEALTH]: () => ({ type: Response_Type.GET_HEALTH, getHealth: { healthy: true } }),
  [Call_Type.GET_FLAGS]: ({ view }) => ({
    type: Response_Type.GET_FLAGS,
    getFlags: { flags: [...(view.flags ?? [])].map(([name, value]) => ({ name, value })) },
  }),
  [Call_Type.GET_VERSION]: ({ view: { build } }) => ({
    type: Response_Type.GET_VERSION,
    getVersion: {
      versionInfo: {
        version: build.version,
        buildDate: new Date(build.buildTime).toISOString().slice(0, 19).replace("T", " "),
        buildTime: build.buildTime / 1000,
        buildUser: build.buildUser,
        ...(build.gitSha === undefined ? {} : { gitSha: build.gitSha }),
        ...(build.gitTag === undefined ? {} : { gitTag: build.gitTag }),
      },
    },
  }),
  [Call_Type.GET_METRICS]: async ({ view }, call) => {
    const metrics = await view.metrics(milliseconds(member(call, "getMetrics").timeout));
    return {
      type: Response_Type.GET_METRICS,
      getMetrics: { metrics: [...metrics].map(([name, value]) => ({ name, value })) },
    };
  },
  [Call_Type.GET_LOGGING_LEVEL]: ({ logging }) => ({
    type: Response_Type.GET_LOGGING_LEVEL,
    getLoggingLevel: { level: logging.level },
  }),
  [Call_Type.SET_LOGGING_LEVEL]: ({ logging }, call) => {
    const { level, duration } = member(call, "setLoggingLevel");
    logging.set(level, milliseconds(duration) ?? 0);
    return "done";
  },
  [Call_Type.LIST_FILES]: listFiles,
  [Call_Type.READ_FILE]: readFile,
  [Call_Type.GET_STATE]: ({ view }) => ({
    type: Response_Type.GET_STATE,
    long: { getState: stateMessage(view.snapshot(), view.flags) },
  }),
  [Call_Type.GET_CONTAINERS]: async ({ view }, { getContainers }) => {
    const { showNested: nested = false, showStandalone: standalone = false } = getContainers ?? {};
    const [usages, others] = await Promise.all([view.usage(), view.containers.usage({ nested, standalone })]);
    return { type: Response_Type.GET_CONTAINERS, long: { getContainers: containersMessage(usages, others) } };
  },
  [Call_Type.GET_FRAMEWORKS]: ({ view }) => ({
    type: Response_Type.GET_FRAMEWORKS,
    long: { getFrameworks: frameworksMessage(view.snapshot()) },
  }),
  [Call_Type.GET_EXECUTORS]: ({ view }) => ({
    type: Response_Type.GET_EXECUTORS,
    long: { getExecutors: executorsMessage(view.snapshot(), view.flags) },
  }),
  [Call_Type.GET_TASKS]: ({ view }) => ({
    type: Response_Type.GET_TASKS,
    long: { getTasks: tasksMessage(view.snapshot()) },
  }),
  [Call_Type.GET_AGENT]: ({ view }) => {
    const { info, drain } = view.snapshot();
    const draining = drain && { drainConfig: drain.config, estimatedDrainStartTime: nanoseconds(drain.since) };
    return { type: Response_Type.GET_AGENT, getAgent: { agentInfo: info, ...draining } };
  },
  [Call_Type.GET_OPERATIONS]: ({ view }) => ({
    type: Response_Type.GET_OPERATIONS,
    getOperations: { operations: [...view.snapshot().operations] },
  }),
  [Call_Type.PRUNE_IMAGES]: ({ view }) => {
    view.exec.log.info(
      "Nothing to prune: there is no image store here, and Docker's images are left to --image_gc_config",
    );
    return "done";
  },
  ...Object.fromEntries(
    Object.entries(containerCalls).map(([name, handler]) => [Call_Type[name as keyof typeof containerCalls], handler]),
  ),
  [Call_Type.GET_RESOURCE_PROVIDERS]: () => ({ type: Response_Type.GET_RESOURCE_PROVIDERS, getResourceProviders: {} }),
};

/** Calls whose answer is a stream: sessionCall() answers them. */
const STREAMING = new Set<Call_Type>([Call_Type.LAUNCH_NESTED_CONTAINER_SESSION, Call_Type.ATTACH_CONTAINER_OUTPUT]);
const NOTHING: Handler = () => "done";

function readCall(encoding: Encoding, body: Buffer): Call {
  if (encoding === "application/x-protobuf") return decodeForeign(CallSchema, body, MOST_OBJECTS);
  return decodeForeignJson(CallSchema, body, MOST_OBJECTS);
}

/** A call that only shows is let in by the password of the pages that show the same, where those have one. */
export async function permissionOf(
  { permission, permissionIn }: Pick<Caller, "permission" | "permissionIn">,
  type: Call_Type,
): Promise<Permission | { readonly answer: Answer }> {
  if (!isReading(type)) return permission;
  const reader = await permissionIn("readonly");
  return "answer" in reader || reader.subject !== undefined ? reader : permission;
}

/**
 * The container that a call names: in the member of its own type and no other. Whoever sends several members must not be judged
 * by one and served by another.
 */
function wantedBy(call: Call, name: string): Wanted {
  const member = name.toLowerCase().replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
  const named = (call as unknown as Readonly<Record<string, NamedContainer | undefined>>)[member];
  return named?.containerId === undefined ? {} : { container: { id: named.containerId, command: named.command } };
}

/** What the members have in common that name a container. */
interface NamedContainer {
  readonly containerId?: ContainerID;
  readonly command?: CommandInfo;
}

/** POST /api/v1. Failures of a handler that are no refusal are thrown. */
export async function operatorCall(parts: Caller, negotiated: Negotiated, body: Buffer): Promise<Answer> {
  const { request, response } = negotiated;
  let call: Call;
  try {
    call = readCall(request, body);
  } catch (error) {
    return text(400, `Failed to read the body as a Call: ${messageOf(error)}\n`);
  }
  const name = enumName(Call_TypeSchema, call.type);
  if (!has(call, "type")) return text(400, "Failed to validate agent::Call: Expecting 'type' to be present\n");
  if (!parts.mayChange && !ONLY_SHOWS.test(name)) return text(403, CROSS_ORIGIN);
  if (call.type === Call_Type.ATTACH_CONTAINER_INPUT)
    return text(415, `Expecting 'Content-Type' to be ${RECORDIO} for ${name} call\n`);
  if (negotiated.isStreamedResponse && !STREAMING.has(call.type))
    return text(406, `Streaming response is not supported for ${name} call\n`);
  const permission = await permissionOf(parts, call.type);
  if ("answer" in permission) return permission.answer;
  const refusal = permission.refusal(callAsks[name as keyof typeof callAsks] ?? callAsks.UNKNOWN, wantedBy(call, name));
  if (refusal !== undefined) return refusal;
  const handler = STREAMING.has(call.type) ? NOTHING : handlers[call.type];
  if (handler === undefined) return text(501, `The call ${name} is not implemented by this agent.\n`);
  const limited = LIMITED.get(call.type);
  if (limited !== undefined && !(await parts.pass(limited))) return text(503, "Too many requests are waiting\n");
  try {
    const { view, files, subject } = permission;
    const stream = await sessionCall({ ...parts, view, files }, call, negotiated, { subject, peer: parts.peer });
    if (stream !== undefined) return stream;
    const answer = await handler({ ...parts, view, files }, call);
    if (answer === "done") return text(200, "");
    if ("kind" in answer) return answer;
    return "long" in answer ? await longReply(response, answer) : reply(response, answer);
  } catch (error) {
    if (error instanceof UserError) return text(400, `Failed to validate agent::Call: ${error.message}\n`);
    if (error instanceof FilesError) return text(error.status, error.message);
    throw error;
  }
}
