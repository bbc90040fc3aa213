import { type Clock, sleep } from "../../../../base/clock.ts";
import { messageOf } from "../../../../base/errors.ts";
import type { Logger } from "../../../../base/log.ts";
import type { Engine } from "../../../../docker/engine.ts";
import { type ProcessStat, type ProcessTable, processPace } from "../../mesos/process-table.ts";
import { insideCommand } from "./inside.ts";

/** The variable that every process of a session has, and hands on to its children. */
export const MARK = "MESOS_SESSION_ID";

/** Marks of a container's sessions begin so: no image and no task could know it before. */
export const markPrefix = (containerId: string): string => `${containerId}.`;

/** A container as its processes are found. */
export interface MarkedPlace {
  readonly engineId: string;
  /** Its first process, as the daemon says. */
  readonly pid: number | undefined;
  /** As whom its sessions run; undefined: the container's own user. */
  readonly user: string | undefined;
}

/** A process of a session that is known apart from its mark, which it has only once it has become its program. */
export interface FirstProcess {
  readonly pid: number;
  /** Its start time, as the kernel tells it: the same pid later is another process. */
  readonly since: string;
}

export interface MarkedProcessesOptions {
  readonly table: Pick<ProcessTable, "all" | "stat" | "environment" | "controlGroups" | "signal">;
  readonly engine: Pick<Engine, "exec">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds between two looks, and how many there are. */
const [AGAIN, MOST_LOOKS] = [20, 100];
/** Milliseconds for a command inside the container. */
const INSIDE = 10_000;

interface Found {
  readonly pids: readonly number[];
  readonly isSure: boolean;
}

const isOver = (stat: ProcessStat | undefined): boolean =>
  stat === undefined || stat.state === "Z" || stat.state === "X";

/**
 * Processes in Docker containers by the mark of their session. The Engine ends no exec, so they are found: in /proc, where each must
 * be in the container's control group and have the mark, or descend from one that has; or, where the container's processes are not
 * seen from here (a remote daemon, another pid namespace), by a command inside the container.
 */
export class MarkedProcesses {
  readonly #options: MarkedProcessesOptions;
  readonly #told = new Set<string>();

  constructor(options: MarkedProcessesOptions) {
    this.#options = options;
  }

  /** The process that the daemon says a session begins with; undefined: it is not seen from here. */
  firstOf({ engineId }: MarkedPlace, pid: number): FirstProcess | undefined {
    const { table } = this.#options;
    const since = table.stat(pid)?.since;
    return since !== undefined && table.controlGroups(pid).includes(engineId) ? { pid, since } : undefined;
  }

  /**
   * Ends all that have a mark that begins so, and `first`, with their descendants. Never rejects: what could not be done is in
   * the log.
   */
  async end(place: MarkedPlace, mark: string, first?: FirstProcess): Promise<void> {
    if (this.#isSeen(place) && (await this.#endSeen(place, mark, first))) return;
    await this.#inside(place, mark, "KILL", "all");
  }

  /** Sends a signal to the first process of a session. */
  async signal(place: MarkedPlace, mark: string, signal: number, first?: FirstProcess): Promise<void> {
    const { table } = this.#options;
    if (!this.#isSeen(place)) return await this.#inside(place, mark, `${signal}`, "first");
    const { pids, isSure } = await processPace.run(this.#find(place, mark, first));
    const pid = pids.find((one) => one === first?.pid) ?? pids[0];
    if (pid !== undefined) table.signal(pid, signal);
    else if (!isSure) await this.#inside(place, mark, `${signal}`, "first");
  }

  #isSeen({ engineId, pid }: MarkedPlace): boolean {
    return pid !== undefined && this.#options.table.controlGroups(pid).includes(engineId);
  }

  async #endSeen(place: MarkedPlace, mark: string, first: FirstProcess | undefined): Promise<boolean> {
    const { table, clock } = this.#options;
    for (let look = 0; look < MOST_LOOKS; look++) {
      const { pids, isSure } = await processPace.run(this.#find(place, mark, first));
      if (pids.length === 0 && isSure) return true;
      // What may not be read or signalled from here may be from inside; what is just becoming another program may be soon.
      if (pids.filter((pid) => table.signal(pid, "SIGKILL")).length === 0 && look > 1) return false;
      await sleep(clock, AGAIN);
    }
    return false;
  }

  /**
   * Those with the mark and their descendants within the container, the oldest first. Not sure: another user's environment may be
   * read by root with CAP_SYS_PTRACE only, so there may be more.
   */
  *#find({ engineId }: MarkedPlace, mark: string, first?: FirstProcess): Generator<void, Found, void> {
    const { table } = this.#options;
    const parents = new Map<number, number>();
    const ages = new Map<number, bigint>();
    const found = new Set<number>();
    const unread: number[] = [];
    for (const pid of table.all()) {
      yield;
      if (!table.controlGroups(pid).includes(engineId)) continue;
      const stat = table.stat(pid);
      if (stat === undefined || isOver(stat)) continue;
      parents.set(pid, stat.parent);
      ages.set(pid, BigInt(stat.since || 0));
      const isFirst = pid === first?.pid && stat.since === first.since;
      const environment = table.environment(pid);
      if (environment === undefined) unread.push(pid);
      if (isFirst || environment?.[MARK]?.startsWith(mark)) found.add(pid);
    }
    const descends = (pid: number): boolean => {
      for (let at: number | undefined = pid; at !== undefined; at = parents.get(at)) if (found.has(at)) return true;
      return false;
    };
    for (const pid of parents.keys()) if (descends(pid)) found.add(pid);
    const age = (pid: number): bigint => ages.get(pid) ?? 0n;
    const pids = [...found].sort((one, other) =>
      age(one) === age(other) ? one - other : age(one) < age(other) ? -1 : 1,
    );
    return { pids, isSure: unread.every((pid) => isOver(table.stat(pid))) };
  }

  async #inside({ engineId, user }: MarkedPlace, mark: string, signal: string, whom: "all" | "first"): Promise<void> {
    const { engine, log } = this.#options;
    if (!this.#told.has(engineId)) {
      const short = engineId.slice(0, 12);
      log.info(`Processes of ${short} are not seen from here: those of its sessions are ended by a command inside`);
      this.#told.add(engineId);
    }
    try {
      const argv = insideCommand(`${MARK}=${mark}`, signal, whom);
      const { exitCode } = await engine.exec(engineId, { argv, environment: {}, user, timeout: INSIDE });
      if (exitCode === 0) return;
      log.warn(`Processes of a session may be left in ${engineId.slice(0, 12)}: the command inside ended ${exitCode}`);
    } catch (error) {
      log.verbose(1, `Processes of a session in ${engineId.slice(0, 12)}: ${messageOf(error)}`);
    }
  }

  /** The container is over. */
  forget(engineId: string): void {
    this.#told.delete(engineId);
  }
}
