import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { Pace } from "../../../base/pace.ts";
import { statFields } from "../../../base/process-stat.ts";

/** A line of /proc/<pid>/stat, as far as we use it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** R, S, D, T, Z … */
  readonly state: string;
  /** Clock ticks. */
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly threads: number;
  /** Start time in clock ticks since boot, as text: it is only compared. */
  readonly since: string;
  readonly residentPages: number;
}

/** What killing and measuring need of the kernel: the fake in tests stands here. */
export interface ProcessTable {
  stat(pid: number): ProcessStat | undefined;
  /** Direct children, in no order. `threads`: how many it has, where somebody knows: nobody looks then. */
  children(pid: number, threads?: number): readonly number[];
  /** Every process there is. */
  all(): readonly number[];
  /** Every process of a session. */
  session(id: number): readonly number[];
  /** The initial environment, when it may be read. */
  environment(pid: number): Record<string, string> | undefined;
  /** Its control groups as /proc/<pid>/cgroup has them; empty when it is not there. */
  controlGroups(pid: number): string;
  /** The folder that it works in, when that may be seen. */
  directory(pid: number): string | undefined;
  /** Supervisors of containers that run now, by the container's id: the titles that our shims give themselves. */
  shims(): ReadonlyMap<string, number>;
  /** false: no such process, or not ours. */
  signal(pid: number, signal: NodeJS.Signals | number): boolean;
}

/** Parses /proc/<pid>/stat. */
export function parseStat(text: string): ProcessStat | undefined {
  const fields = statFields(text, 22);
  if (fields.length < 22) return undefined;
  const number = (index: number): number => Number(fields[index]);
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? "",
    parent: number(1),
    session: number(3),
    userTicks: number(11),
    systemTicks: number(12),
    threads: number(17),
    since: fields[19] ?? "",
    residentPages: number(21),
  };
}

/** Parses /proc/<pid>/environ. */
export function parseEnvironment(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const pair of text.split("\0")) {
    const equals = pair.indexOf("=");
    if (equals > 0) variables[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return variables;
}

const readOptional = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const pidsIn = (folder: string): number[] => {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
};

const ownerOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.uid;

const linksOf = (path: string): number | undefined => {
  try {
    return statSync(path).nlink;
  } catch {
    return undefined;
  }
};

/** The kernel's own table. A process that ends meanwhile is as good as absent, so errors of reading mean "absent". */
export class ProcTable implements ProcessTable {
  readonly #root: string;
  readonly #listsChildren: boolean;

  constructor(root = "/proc") {
    this.#root = root;
    // CONFIG_PROC_CHILDREN; without it every process is looked at.
    this.#listsChildren = readOptional(join(root, "thread-self", "children")) !== undefined;
  }

  stat(pid: number): ProcessStat | undefined {
    const text = readOptional(`${this.#root}/${pid}/stat`);
    return text === undefined ? undefined : parseStat(text);
  }

  children(pid: number, threads?: number): readonly number[] {
    if (!this.#listsChildren) return this.#all((stat) => stat.parent === pid);
    const folder = `${this.#root}/${pid}/task`;
    const childrenOf = (thread: number): number[] => {
      const list = readOptional(`${folder}/${thread}/children`) ?? "";
      return list === "" ? [] : list.trimEnd().split(" ").map(Number);
    };
    // A folder has a link for itself, one for its name, and one for each folder in it. Nearly every process has one thread, and
    // listing that costs more than all the rest of a look at a task.
    const isSingle = (threads ?? (linksOf(folder) === 3 ? 1 : 0)) === 1;
    return isSingle ? childrenOf(pid) : pidsIn(folder).flatMap(childrenOf);
  }

  all(): readonly number[] {
    return pidsIn(this.#root);
  }

  session(id: number): readonly number[] {
    return this.#all((stat) => stat.session === id);
  }

  environment(pid: number): Record<string, string> | undefined {
    const text = readOptional(join(this.#root, `${pid}`, "environ"));
    return text === undefined || text === "" ? undefined : parseEnvironment(text);
  }

  controlGroups(pid: number): string {
    return readOptional(join(this.#root, `${pid}`, "cgroup")) ?? "";
  }

  directory(pid: number): string | undefined {
    try {
      return readlinkSync(join(this.#root, `${pid}`, "cwd"));
    } catch {
      return undefined;
    }
  }

  shims(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const pid of pidsIn(this.#root)) {
      const folder = join(this.#root, `${pid}`);
      // A title is a word that anybody may give himself: of other users' processes it says nothing.
      const id = /^mesos-task ([A-Za-z0-9_.-]+)\0*$/.exec(readOptional(join(folder, "cmdline")) ?? "")?.[1];
      if (id !== undefined && ownerOf(folder) === process.geteuid?.()) found.set(id, pid);
    }
    return found;
  }

  signal(pid: number, signal: NodeJS.Signals | number): boolean {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  }

  #all(wanted: (stat: ProcessStat) => boolean): number[] {
    return pidsIn(this.#root).filter((pid) => {
      const stat = this.stat(pid);
      return stat !== undefined && wanted(stat);
    });
  }
}

/** Whether `pid` is still the process that started at `since`, and not ended. */
export function isAlive(table: ProcessTable, pid: number, since: string): boolean {
  const stat = table.stat(pid);
  return stat !== undefined && stat.since === since && stat.state !== "Z" && stat.state !== "X";
}

/** Where a container's processes are found. */
export interface Tree {
  /** Supervisor of all of them; not one of them. */
  readonly shim: number | undefined;
  /** The task's first process and leader of its session. */
  readonly pid: number;
}

/** Processes that are looked at or signalled in one turn of the event loop: a task may have tens of thousands. */
const MOST_IN_A_TURN = 64;
/** Milliseconds of a turn: a list of thousands of children is one piece. */
const LONGEST_TURN = 8;

/** What all who walk the kernel's table share. */
export const processPace = new Pace(MOST_IN_A_TURN, { milliseconds: LONGEST_TURN });

type Pieces<T> = Generator<void, T, void>;

/** How many threads a process has, as far as it was looked at: one that begins another meanwhile has its children counted at the next look. */
type Looked = number | undefined;

/** The roots of the tree: the shim's children, or without a shim whoever is left of the task's session. */
function* rootsOf(table: ProcessTable, tree: Tree): Pieces<readonly number[]> {
  // A shim is a fork of our launcher, and has one thread.
  if (tree.shim !== undefined) return table.children(tree.shim, 1);
  const found: number[] = [];
  for (const pid of table.all()) {
    if (table.stat(pid)?.session === tree.pid) found.push(pid);
    yield;
  }
  return found;
}

function* walkTree(table: ProcessTable, tree: Tree, before: (pid: number) => Looked): Pieces<number[]> {
  const seen = new Set<number>();
  const queue = [...(yield* rootsOf(table, tree))];
  for (let at = 0; at < queue.length; at++) {
    const pid = queue[at] as number;
    if (seen.has(pid) || pid <= 1) continue;
    seen.add(pid);
    const threads = before(pid);
    for (const child of table.children(pid, threads)) queue.push(child);
    yield;
  }
  return [...seen];
}

/** Visits every process of the tree once, parents first; `before` is called before a process' children are listed. */
export function walk(
  table: ProcessTable,
  tree: Tree,
  before: (pid: number) => Looked = () => undefined,
  pace: Pace = processPace,
): Promise<number[]> {
  return pace.run(walkTree(table, tree, before));
}

function* signalAll(table: ProcessTable, tree: Tree, signal: NodeJS.Signals): Pieces<number[]> {
  const pids = yield* walkTree(table, tree, (pid) => {
    table.signal(pid, "SIGSTOP");
    return undefined;
  });
  for (const next of [signal, "SIGCONT"] as const) {
    for (const [index, pid] of pids.entries()) {
      table.signal(pid, next);
      // A signal alone costs little.
      if (index % 16 === 15) yield;
    }
  }
  return pids;
}

/**
 * Signals the whole tree so that no process forks its way out: each is stopped before its children are listed, then all
 * are signalled, then all go on (mesos-agent-behaviour §5.12). A small tree before this returns, a large one in many
 * turns. Resolves to the processes.
 */
export function signalTree(
  table: ProcessTable,
  tree: Tree,
  signal: NodeJS.Signals,
  pace: Pace = processPace,
): Promise<number[]> {
  return pace.run(signalAll(table, tree, signal));
}

export interface TreeUsage {
  readonly processes: number;
  readonly threads: number;
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly residentBytes: number;
}

/** sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on; pages have 4 KiB there (or `pageBytes`). */
const TICKS_PER_SECOND = 100;

/** Sums what the kernel counts for the processes of the tree that run now. */
export async function treeUsage(
  table: ProcessTable,
  tree: Tree,
  { pageBytes = 4096, pace = processPace } = {},
): Promise<TreeUsage> {
  let [processes, threads, user, system, resident] = [0, 0, 0, 0, 0];
  const add = (pid: number): Looked => {
    const stat = table.stat(pid);
    if (stat === undefined) return undefined;
    processes += 1;
    threads += stat.threads;
    user += stat.userTicks;
    system += stat.systemTicks;
    resident += stat.residentPages * pageBytes;
    return stat.threads;
  };
  await walk(table, tree, add, pace);
  return {
    processes,
    threads,
    userSeconds: user / TICKS_PER_SECOND,
    systemSeconds: system / TICKS_PER_SECOND,
    residentBytes: resident,
  };
}
