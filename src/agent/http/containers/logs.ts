import { messageOf, UserError } from "../../../base/errors.ts";
import { text } from "../../../http/answer.ts";
import { has } from "../../../mesos/codec.ts";
import { type Call_ReadLog, Call_ReadLog_Source, Response_Type } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import type { LogParts, LogWindows } from "../../model/container.ts";
import { type ContainerChain, chainText } from "../../model/nested.ts";
import { AGENT_LOG, FilesError, type OpenedPath, openWithin } from "../files/attached.ts";
import { LARGEST_READ, readPart } from "../files/listing.ts";
import type { Handler, OperatorParts, Reply } from "../operator/handler.ts";
import type { AgentView } from "../view.ts";
import { validChain } from "./validate.ts";

type StreamName = keyof LogParts;
type LogPart = LogParts[StreamName];

/** Folder of a sandbox in which those of the containers within it lie, and of work_dir for those that stand alone. */
const WITHIN = "containers";

const NOTHING: LogPart = { size: 0, data: new Uint8Array() };

/** Where a container's sandbox lies: below which folder of the agent's own, and the way from there. */
function sandboxOf(view: AgentView, chain: ContainerChain): { readonly root: string; readonly way: string } {
  const [first, ...below] = chain;
  const owner = view.containers.everOwnerOf(chain);
  const root = owner?.executor.directory ?? `${view.workDir}/${WITHIN}/${first}`;
  return { root, way: below.flatMap((id) => [WITHIN, id]).join("/") };
}

/** What `open` opens; undefined: there is nothing. Throws a FilesError for anything that may not be opened. */
async function ifThere(open: Promise<OpenedPath>): Promise<OpenedPath | undefined> {
  try {
    return await open;
  } catch (error) {
    if (error instanceof FilesError && error.status === 404) return undefined;
    throw error;
  }
}

function wantedOf(call: Call_ReadLog): LogWindows {
  const length = has(call, "length") ? Math.min(Number(call.length), LARGEST_READ) : LARGEST_READ;
  return {
    stdout: { offset: Number(call.stdoutOffset), length },
    stderr: { offset: Number(call.stderrOffset), length },
  };
}

async function agentLog({ files }: OperatorParts, call: Call_ReadLog): Promise<Reply> {
  if (call.containerId !== undefined) throw new UserError("'read_log.container_id' is only valid for CONTAINER source");
  const { offset, length } = wantedOf(call).stdout;
  const { size, data } = await readPart(await files.open(AGENT_LOG), offset, length);
  return {
    type: Response_Type.READ_LOG,
    readLog: { stdout: { size: BigInt(size), data: new Uint8Array(data) } },
  };
}

/** A stream's file in the sandbox; undefined: there is none yet, or no more. */
async function filePart(
  root: string,
  path: string,
  { offset, length }: LogWindows[StreamName],
): Promise<LogPart | undefined> {
  const opened = await ifThere(openWithin(root, path));
  return opened && (await readPart(opened, offset, length));
}

async function containerLog({ view }: OperatorParts, call: Call_ReadLog): Promise<Reply> {
  if (call.containerId === undefined) throw new UserError("Expecting 'read_log.container_id' for CONTAINER source");
  const chain = validChain("read_log", call.containerId, false);
  const { root, way } = sandboxOf(view, chain);
  const sandbox = await ifThere(openWithin(root, way));
  if (sandbox === undefined) return text(404, `Container '${chainText(chain)}' cannot be found`);
  await sandbox.handle.close();
  const wanted = wantedOf(call);
  const ownLog = chain.length > 1 ? undefined : ownLogOf(view, chain);
  // What the container has logged itself is read once, for whichever stream the sandbox lacks.
  let own: Promise<LogParts | undefined> | undefined;
  const part = async (name: StreamName): Promise<LogPart> => {
    try {
      const found = await filePart(root, `${way}/${name}`, wanted[name]);
      if (found !== undefined || ownLog === undefined) return found ?? NOTHING;
    } catch (error) {
      if (ownLog === undefined) throw error;
    }
    own ??= ownLog(wanted).catch((error: unknown) => {
      throw new FilesError(
        500,
        `Container '${chainText(chain)}' has no log in its sandbox, and: ${messageOf(error)}\n`,
      );
    });
    return (await own)?.[name] ?? NOTHING;
  };
  const [stdout, stderr] = await Promise.all([part("stdout"), part("stderr")]);
  return { type: Response_Type.READ_LOG, readLog: { stdout: message(stdout), stderr: message(stderr) } };
}

/** What a container has logged itself; undefined: whoever runs it keeps nothing but the sandbox. */
function ownLogOf(view: AgentView, chain: ContainerChain) {
  const containerizer = view.containers.everOwnerOf(chain)?.executor.containerizer;
  const { ownLog } = containerizer ?? {};
  return (
    ownLog && ((wanted: LogWindows): Promise<LogParts | undefined> => ownLog.call(containerizer, chain[0], wanted))
  );
}

const message = ({ size, data }: LogPart) => ({ size: BigInt(size), data: new Uint8Array(data) });

/** READ_LOG, as ClusterD has it: a log by offsets, at most 64 KiB of each stream in one answer, as /files/read. */
export const readLog: Handler = (parts, { readLog: call }) => {
  if (call === undefined) throw new UserError("Expecting 'read_log' to be present");
  if (call.source === Call_ReadLog_Source.AGENT) return agentLog(parts, call);
  if (call.source === Call_ReadLog_Source.CONTAINER) return containerLog(parts, call);
  throw new UserError("'read_log.source' must be CONTAINER or AGENT");
};
