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
 * Whether a process id that a C++ agent checkpointed is still that container: it, or a process below it, has the sandbox
 * in its environment (an executor as MESOS_DIRECTORY, a nested container as MESOS_SANDBOX), or works there. (The C++ agent
 * itself believes any process with that id.) Resolves to its start time; undefined: it is gone, or somebody else's.
 */
export async function foreignSince(
  table: ProcessTable,
  pid: number,
  isSandbox: (path: string) => boolean,
): Promise<string | undefined> {
  const stat = table.stat(pid);
  if (stat === undefined || !isAlive(table, pid, stat.since)) return undefined;
  const below = await walk(table, { shim: pid, pid });
  const isContainer = [pid, ...below].some((each) => {
    const { MESOS_DIRECTORY, MESOS_SANDBOX } = table.environment(each) ?? {};
    return [MESOS_DIRECTORY, MESOS_SANDBOX, table.directory(each)].some(
      (path) => path !== undefined && isSandbox(path),
    );
  });
  return isContainer ? stat.since : undefined;
}

/** What to do with a container that a C++ agent checkpointed. */
export async function foreignAdoption(table: ProcessTable, container: CheckpointedContainer): Promise<Adoption> {
  const { pid, sandbox } = container;
  const since = pid === undefined ? undefined : await foreignSince(table, pid, (path) => path === sandbox);
  return pid === undefined || since === undefined ? { kind: "unknown" } : { kind: "foreign", pid, since };
}

/**
 * A container as the processes themselves show it, whatever the file about them says: its supervisor has its id for a
 * title, and the task is the supervisor's oldest child that leads a session.
 */
export function sighting(
  table: ProcessTable,
  shim: number | undefined,
): Extract<Adoption, { kind: "running" }> | undefined {
  const stat = shim === undefined ? undefined : table.stat(shim);
  if (shim === undefined || stat === undefined || !isAlive(table, shim, stat.since)) return undefined;
  const children = table.children(shim).flatMap((pid) => table.stat(pid) ?? []);
  const leaders = children.filter(({ pid, session }) => pid === session);
  const [first] = leaders.sort((a, b) => Number(a.since) - Number(b.since));
  return { kind: "running", shim, since: stat.since, pid: first?.pid ?? 0 };
}

/** Whether the processes of a session are those of a container: one of them works in its sandbox, or was given it. */
export function isSessionOf(table: ProcessTable, session: number, sandbox: string): boolean {
  return table.session(session).some((pid) => {
    const directory = table.directory(pid);
    const isInside = directory === sandbox || directory?.startsWith(`${sandbox}/`) === true;
    return isInside || table.environment(pid)?.["MESOS_DIRECTORY"] === sandbox;
  });
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
