import { closeSync, constants, openSync, readSync } from "node:fs";
import { type Clock, sleep } from "../../../base/clock.ts";
import { codeOf } from "../../../base/errors.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import { isAlive, type ProcessTable, walk } from "./process-table.ts";
import type { ProcessesRecord } from "./runtime-folder.ts";

/** What to do with a container after a restart of the agent. */
export type Adoption =
  | { readonly kind: "ended"; readonly status: number | undefined }
  /** Its shim still looks after it. */
  | { readonly kind: "running"; readonly shim: number; readonly since: string; readonly pid: number }
  /** Its shim was killed. */
  | { readonly kind: "unsupervised"; readonly shim: number; readonly pid: number }
  /** Started by a C++ agent: a process without a shim. */
  | { readonly kind: "foreign"; readonly pid: number; readonly since: string }
  /** It never ran, or belongs to another agent. */
  | { readonly kind: "unknown" };

/** What the runtime folder and the kernel say of one container. */
export interface Evidence {
  readonly status: number | undefined;
  readonly processes: ProcessesRecord | undefined;
  readonly owner: string;
  /** Whether process ids of the record mean the same now: same boot, same pid namespace. */
  readonly sameSpace: boolean;
  readonly shimAlive: boolean;
}

/** Decides from the evidence, for a container that our shims may have started. */
export function adoption({ status, processes, owner, sameSpace, shimAlive }: Evidence): Adoption {
  if (processes === undefined || processes.owner !== owner) return { kind: "unknown" };
  if (status !== undefined) return { kind: "ended", status };
  if (!sameSpace) return { kind: "ended", status: undefined };
  const { shim, since, pid } = processes;
  return shimAlive ? { kind: "running", shim, since, pid } : { kind: "unsupervised", shim, pid };
}

/**
 * Whether a process id that a C++ agent checkpointed is still that executor: it, or a process below it, has the sandbox
 * in its environment. (The C++ agent itself believes any process with that id.)
 */
export function foreignAdoption(table: ProcessTable, container: CheckpointedContainer): Adoption {
  const { pid, sandbox } = container;
  const stat = pid === undefined ? undefined : table.stat(pid);
  if (pid === undefined || stat === undefined || !isAlive(table, pid, stat.since)) return { kind: "unknown" };
  const below = walk(table, { shim: pid, pid });
  const isExecutor = [pid, ...below].some((each) => table.environment(each)?.["MESOS_DIRECTORY"] === sandbox);
  return isExecutor ? { kind: "foreign", pid, since: stat.since } : { kind: "unknown" };
}

/** Milliseconds between looks at the pipe. */
const LOOK = 20;

function isOpenElsewhere(fifo: string): boolean {
  let file: number;
  try {
    file = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
  try {
    // Nobody ever writes: end-of-file means that nobody has it open, EAGAIN that somebody has.
    readSync(file, Buffer.alloc(1));
    return false;
  } catch (error) {
    if (codeOf(error) === "EAGAIN") return true;
    throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * Waits until no launch of a previous agent is under way: its launcher ended, and every shim that was starting has
 * started or failed. Resolves to false when that did not happen within `milliseconds`.
 */
export async function predecessorDone(clock: Clock, fifo: string, milliseconds: number): Promise<boolean> {
  const end = clock.monotonic() + milliseconds;
  while (isOpenElsewhere(fifo)) {
    if (clock.monotonic() >= end) return false;
    await sleep(clock, LOOK);
  }
  return true;
}
