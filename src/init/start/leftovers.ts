import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, sep } from "node:path";
import { type Clock, sleep } from "../../base/clock.ts";
import { statFields } from "../../base/process-stat.ts";

function readOrNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Of a process, or of one of its threads (`PID/task/THREAD`): its state first; none of one that is gone. */
const statOf = (process: string): string[] =>
  statFields(readOrNothing(() => readFileSync(`/proc/${process}/stat`, "latin1")));

/** The seventh field of proc(5): its number. */
const hasTerminal = (pid: string): boolean => (statOf(pid)[4] ?? "0") !== "0";

/**
 * Processes that belong to the node below `root`: by their environment, or as what works in a sandbox there (a task may have
 * cleared its environment, and one of an agent that was stopped is nobody's child any more). A shell whose user looks around
 * in the node's folders is none: it has a terminal, and no variable of a task. Not `except`.
 *
 * @param root without links, as the processes themselves have it
 */
export function processesOf(root: string, except: readonly number[]): number[] {
  const below = (folder: string, path: string): boolean => path === folder || path.startsWith(folder + sep);
  const sandboxes = join(root, "var/lib/mesos/slaves");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && !except.includes(Number(name)))
    .filter((pid) => {
      const environment = readOrNothing(() => readFileSync(`/proc/${pid}/environ`, "latin1")).split("\0");
      const names = (variable: string): boolean =>
        environment.some((each) => each.startsWith(`${variable}=`) && below(root, each.slice(variable.length + 1)));
      if (names("MESOS_SANDBOX") || names("MESOS_DIRECTORY")) return true;
      const isOfNode =
        names("INIT_ROOT") ||
        below(
          sandboxes,
          readOrNothing(() => readlinkSync(`/proc/${pid}/cwd`)),
        );
      return isOfNode && !hasTerminal(pid);
    })
    .map(Number);
}

/**
 * Whether a thread of it runs yet. One that ends loses its environment before its ports, and its first thread may only wait
 * to be collected while another still holds them.
 */
function isHere(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => /[^ZX]/.test(statOf(`${pid}/task/${thread}`)[0] ?? ""));
  } catch {
    return false;
  }
}

/** Milliseconds between two looks, and until what does not end is left: another user's, or one that the kernel holds. */
const LOOK = 20;
const LONGEST = 2000;

/** Ends what is left of the node below `root`, tasks included: nobody would look after them. Its ports are free after it. */
export async function endLeftovers(root: string, clock: Clock): Promise<void> {
  const since = clock.monotonic();
  const ending = new Set<number>();
  for (;;) {
    for (const pid of processesOf(root, [process.pid, process.ppid])) {
      ending.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    // What was sent its end is only waited for: its number may be another's soon.
    if (![...ending].some(isHere) || clock.monotonic() - since > LONGEST) return;
    await sleep(clock, LOOK);
  }
}
