import { messageOf, UserError } from "../../../base/errors.ts";
import { text } from "../../../http/answer.ts";
import type { Handler } from "../operator/handler.ts";
import { validChain } from "./validate.ts";

const CALL = "update_container_memory_limit";
const MEGABYTE = 1024 * 1024;

const UNHELD =
  "The memory of this container is not limited here. Start the agent with --isolation=cgroups/cpu,cgroups/mem; with that, its log says what the machine lacks\n";

/** Bytes of a limit in MiB, at most as many as a number here tells exactly (8 PiB). Throws a UserError for what is no limit. */
function bytesOf(megabytes: number): number {
  if (!Number.isFinite(megabytes) || megabytes <= 0)
    throw new UserError(`'${CALL}.memory_limit.value' must be positive and finite, not ${megabytes}`);
  return Math.min(Math.floor(megabytes * MEGABYTE), Number.MAX_SAFE_INTEGER);
}

/**
 * UPDATE_CONTAINER_MEMORY_LIMIT, as ClusterD has it: changes what a running container is held to, and nothing that masters
 * are told. Only of containers that are in no other: those within share their parent's limit, or have a part of it.
 */
export const updateMemoryLimit: Handler = async ({ view }, { updateContainerMemoryLimit: call }) => {
  if (call === undefined) throw new UserError(`Expecting '${CALL}' to be present`);
  const [id, ...below] = validChain(CALL, call.containerId, false);
  if (below.length > 0) throw new UserError(`'${CALL}.container_id' must identify a top-level task container`);
  const megabytes = call.memoryLimit?.value ?? Number.NaN;
  const bytes = bytesOf(megabytes);
  try {
    const done = await view.containers.limitMemory(id, bytes);
    if (done === "unknown") return text(404, `Running container '${id}' cannot be found`);
    if (done === "unheld") return text(501, UNHELD);
  } catch (error) {
    return text(500, `Container '${id}' cannot be held to ${megabytes} MiB of memory: ${messageOf(error)}\n`);
  }
  view.exec.log.info(`Container ${id} is held to ${megabytes} MiB of memory, as the operator API asked`);
  return "done";
};
