import { type Clock, every, type Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Pace } from "../../../base/pace.ts";
import { Rounds } from "../../../base/rounds.ts";
import { TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import type { Limitation } from "../../model/isolation.ts";
import { isAlive, type ProcessTable, processPace, signalTree, type Tree } from "./process-table.ts";

/** A container that was started, until it is removed. */
export interface Supervised {
  readonly id: string;
  readonly tree: Tree;
  /** Start time of the shim; of the process itself when there is no shim. */
  readonly since: string;
  /** Who tells the end: the shim's file, or nobody, so that the process is looked at. */
  readonly announced: boolean;
  readonly termination: Promise<ContainerTermination>;
}

/**
 * A container that was started:
 *
 *   running ──stop──▶ stopping ──grace is over──▶ killing ──▶ ended
 *      ├─────────────────┼──── a limit, destroyed ──▲            ▲
 *      └─────────────────┴──── its shim was killed ──▶ lost ─────┤
 *      └─────────────────┴───────── by itself ───────────────────┘
 */
type Phase =
  | { readonly kind: "running" }
  /** SIGTERM was asked for at `askedAt`, SIGKILL comes at `deadline` (milliseconds since the epoch). */
  | { readonly kind: "stopping"; readonly askedAt: number; readonly deadline: number; readonly escalation?: Timer }
  /** SIGKILL was sent, and is repeated. */
  | { readonly kind: "killing"; readonly repeat?: Timer }
  /** Nobody tells its end any more; what is left of it is being ended. */
  | { readonly kind: "lost" }
  | { readonly kind: "ended" };

const MOVES: Readonly<Record<Phase["kind"], readonly Phase["kind"][]>> = {
  running: ["stopping", "killing", "lost", "ended"],
  stopping: ["stopping", "killing", "lost", "ended"],
  killing: ["killing", "lost", "ended"],
  lost: ["ended"],
  ended: [],
};

interface Entry extends Supervised {
  readonly resolve: (termination: ContainerTermination) => void;
  phase: Phase;
  limitation: Limitation | undefined;
}

/** The timers of the phase that is left go. A move that the table does not have is a defect of ours. */
function move(entry: Entry, to: Phase): void {
  const { phase } = entry;
  if (!MOVES[phase.kind].includes(to.kind))
    throw new Error(`container ${entry.id} cannot go from ${phase.kind} to ${to.kind}`);
  cancelTimers(entry);
  entry.phase = to;
}

function cancelTimers({ phase }: Entry): void {
  if (phase.kind === "stopping") phase.escalation?.cancel();
  else if (phase.kind === "killing") phase.repeat?.cancel();
}

/** Nothing more can be asked of it. */
const isOver = ({ phase }: Entry): boolean => phase.kind === "ended" || phase.kind === "lost";

export interface SupervisionOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ProcessTable;
  /** The wait status that the shim wrote. */
  readonly statusOf: (id: string) => number | undefined;
  readonly announceDeadline: (id: string, epochMilliseconds: number) => Promise<void>;
  /** SIGKILL to whatever is in the container's control groups, at once, where the kernel does that. */
  readonly killGroups: (id: string) => void;
  /** Whether an ended container ended because of a limit. */
  readonly limitation: (id: string) => Limitation | undefined;
  /** After everything of the container has ended, before `termination` resolves. */
  readonly cleanup: (id: string) => Promise<void> | undefined;
  /** What looks at thousands of containers take turns with; that of all who walk the kernel's table, unless given. */
  readonly pace?: Pace;
}

/** Milliseconds between looks at processes whose end nobody announces. */
const LOOK_AT_UNANNOUNCED = 1_000;
/** Milliseconds between looks whether shims of a previous launcher were killed. */
const LOOK_AT_SHIMS = 5_000;
/** Milliseconds after which a kill that did not end everything is repeated; it doubles up to the second. */
const [REPEAT_KILL, LONGEST_REPEAT] = [500, 10_000];

/**
 * Containers that were started: learns their ends, and ends them. SIGTERM to the whole tree first, SIGKILL when the grace
 * is over, again and again until nothing is left.
 */
export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #timers: Timer[];
  #isClosed = false;
  readonly #rounds: { readonly announced: Rounds; readonly unannounced: Rounds };

  constructor(options: SupervisionOptions) {
    this.#options = options;
    const { log, pace = processPace } = options;
    const rounds = () => new Rounds(pace, (error) => log.error(`Looking at containers: ${messageOf(error)}`));
    this.#rounds = { announced: rounds(), unannounced: rounds() };
    this.#timers = [
      every(options.clock, LOOK_AT_UNANNOUNCED, () => this.#rounds.unannounced.begin(() => this.#looks(false))),
      every(options.clock, LOOK_AT_SHIMS, () => this.#rounds.announced.begin(() => this.#looks(true))),
    ];
  }

  get(id: string): Supervised | undefined {
    return this.#entries.get(id);
  }

  /** Whether it was started and has not ended. */
  isRunning(id: string): boolean {
    return (this.#entries.get(id)?.phase.kind ?? "ended") !== "ended";
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  add(container: Omit<Supervised, "termination">): Supervised {
    const { promise, resolve } = Promise.withResolvers<ContainerTermination>();
    const entry: Entry = {
      ...container,
      termination: promise,
      resolve,
      phase: { kind: "running" },
      limitation: undefined,
    };
    this.#entries.set(container.id, entry);
    return entry;
  }

  /** Adds a container that its shim looks after; it may have ended before its start was heard of. */
  started(
    id: string,
    { shim, since, pid }: { readonly shim: number; readonly since: string; readonly pid: number },
  ): void {
    this.add({ id, tree: { shim, pid }, since, announced: true });
    this.ended(id);
  }

  /** Adds a container that has ended already. */
  addEnded(id: string, status: number | undefined): Supervised {
    const entry = this.add({ id, tree: { shim: undefined, pid: 0 }, since: "", announced: true }) as Entry;
    this.#finish(entry, { status });
    return entry;
  }

  forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    cancelTimers(entry);
    this.#entries.delete(id);
  }

  /** The shim says that it has done its work: reads the status. Unknown ids are ignored. */
  ended(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.phase.kind === "ended") return;
    const status = this.#options.statusOf(id);
    if (status !== undefined) this.#finish(entry, { status });
  }

  /** The shim was killed: what is left of the task cannot be supervised, so it is ended. */
  shimLost(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || isOver(entry)) return;
    this.ended(id);
    if (isOver(entry)) return;
    move(entry, { kind: "lost" });
    const { log } = this.#options;
    log.error(`The supervisor ${entry.tree.shim} of container ${id} was killed; ending what is left of the container`);
    void this.#endOrphaned(entry);
  }

  async #endOrphaned(entry: Entry): Promise<void> {
    const { table, killGroups } = this.#options;
    killGroups(entry.id);
    const orphaned: Tree = { shim: undefined, pid: entry.tree.pid };
    for (let round = 0; round < 3 && (await signalTree(table, orphaned, "SIGKILL")).length > 0; round++);
    this.#finish(entry, {
      status: undefined,
      message: `Failed to get exit status for Command: its supervisor (pid ${entry.tree.shim}) was killed`,
    });
  }

  /** Ends it because it went over a limit. */
  limit(id: string, limitation: Limitation): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || isOver(entry) || entry.limitation !== undefined) return;
    entry.limitation = limitation;
    this.#options.log.info(`Container ${id} has reached its limit and will be terminated: ${limitation.message}`);
    this.kill(id);
  }

  /**
   * SIGTERM now (once), SIGKILL `grace` milliseconds after the first call. A shorter grace of a later call holds. The
   * deadline is on disk before anything is signalled.
   */
  async stop(id: string, grace: number): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined || (entry.phase.kind !== "running" && entry.phase.kind !== "stopping")) return;
    const { clock, table, log, announceDeadline } = this.#options;
    const before = entry.phase.kind === "stopping" ? entry.phase : undefined;
    const askedAt = before?.askedAt ?? clock.now();
    const deadline = askedAt + grace;
    if (before !== undefined && before.deadline <= deadline) return;
    move(entry, { kind: "stopping", askedAt, deadline });
    try {
      await announceDeadline(id, deadline);
    } catch (error) {
      log.warn(`The kill of container ${id} will not survive a restart of the agent: ${messageOf(error)}`);
    }
    // Before the escalation, however short the grace: what is ended has heard that it is to end.
    if (before === undefined && entry.phase.kind === "stopping") {
      const pids = await signalTree(table, entry.tree, "SIGTERM");
      log.info(`Sent SIGTERM to ${pids.length} processes of container ${id} (${pids.slice(0, 20).join(" ")})`);
    }
    this.#escalate(entry, askedAt);
  }

  /** Goes on with a stop that a previous agent began. */
  resumeStop(id: string, deadline: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.phase.kind !== "running") return;
    const askedAt = this.#options.clock.now();
    move(entry, { kind: "stopping", askedAt, deadline });
    // The signal may or may not have been sent; a second SIGTERM does no harm.
    void signalTree(this.#options.table, entry.tree, "SIGTERM");
    this.#escalate(entry, askedAt);
  }

  /** SIGKILL to the whole tree, repeated until it has ended. */
  kill(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || (entry.phase.kind !== "running" && entry.phase.kind !== "stopping")) return;
    move(entry, { kind: "killing" });
    void this.#kill(entry, REPEAT_KILL);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const entry of this.#entries.values()) cancelTimers(entry);
  }

  /** Arms the SIGKILL of the stop that was asked for at `askedAt`, unless the container went on from there meanwhile. */
  #escalate(entry: Entry, askedAt: number): void {
    const { phase } = entry;
    if (phase.kind !== "stopping" || this.#isClosed) return;
    const { clock, log } = this.#options;
    // Never longer than the whole grace, whatever somebody has set the clock to meanwhile.
    const left = Math.min(phase.deadline - clock.now(), phase.deadline - askedAt);
    const escalation = clock.after(Math.max(0, left), () => {
      log.info(`Container ${entry.id} did not end within its grace period; sending SIGKILL`);
      this.kill(entry.id);
    });
    move(entry, { kind: "stopping", askedAt, deadline: phase.deadline, escalation });
  }

  async #kill(entry: Entry, wait: number): Promise<void> {
    const { killGroups, table, clock, log } = this.#options;
    killGroups(entry.id);
    await signalTree(table, entry.tree, "SIGKILL");
    if (entry.phase.kind !== "killing" || this.#isClosed) return;
    const repeat = clock.after(wait, () => {
      if (wait >= LONGEST_REPEAT) log.warn(`Container ${entry.id} still has processes after SIGKILL`);
      void this.#kill(entry, Math.min(wait * 2, LONGEST_REPEAT));
    });
    move(entry, { kind: "killing", repeat });
  }

  /** At all whose end is announced, or is not. Each look reads a file of the kernel's: at thousands of containers, all at once stop the agent for 60 ms, every few seconds. */
  *#looks(announced: boolean): Generator<void, void, void> {
    for (const entry of this.#entries.values()) {
      if (this.#isClosed) return;
      if (entry.phase.kind === "ended" || entry.announced !== announced) continue;
      if (!isAlive(this.#options.table, entry.tree.shim ?? entry.tree.pid, entry.since)) {
        if (announced) this.shimLost(entry.id);
        else this.#finish(entry, { status: this.#options.statusOf(entry.id) });
      }
      yield;
    }
  }

  #finish(entry: Entry, end: ContainerTermination): void {
    if (entry.phase.kind === "ended") return;
    move(entry, { kind: "ended" });
    const limitation = entry.limitation ?? this.#options.limitation(entry.id);
    const termination: ContainerTermination =
      limitation === undefined
        ? end
        : {
            status: end.status,
            state: TaskState.TASK_FAILED,
            reason: limitation.reason,
            message: limitation.message,
            limitation: limitation.resources,
          };
    const cleanup = this.#options.cleanup(entry.id);
    if (cleanup === undefined) entry.resolve(termination);
    else
      cleanup
        .catch((error: unknown) => this.#options.log.error(`Cleaning up container ${entry.id}: ${messageOf(error)}`))
        .finally(() => entry.resolve(termination));
  }
}
