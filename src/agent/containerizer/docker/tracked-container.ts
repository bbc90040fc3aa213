import type { Clock, Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { SerialQueue } from "../../../base/serial-queue.ts";
import type { ContainerDetails, Engine } from "../../../docker/engine.ts";
import { isNotFound } from "../../../docker/errors.ts";
import type { CheckpointedContainer, ContainerTermination } from "../../model/container.ts";
import { NotHeld } from "../../model/held/descriptor.ts";
import type { Limitation } from "../../model/isolation.ts";
import type { Reach } from "../../model/reach.ts";
import type { ContainerOutput } from "./output.ts";
import { reachOf } from "./reach.ts";
import type { StateFiles, StopRequest } from "./state-files.ts";
import { type ContainerEnd, endOf, hasEnded, terminationOf } from "./termination.ts";

export type Subject = Pick<
  CheckpointedContainer,
  "containerId" | "container" | "resources" | "limits" | "sandbox" | "checkpoint"
>;

export interface TrackedOptions {
  readonly subject: Subject;
  readonly engine: Engine;
  readonly state: StateFiles;
  readonly clock: Clock;
  readonly log: Logger;
  /** Finds the container's id at the daemon; undefined: it is not there. Rejects when the daemon does not answer. */
  readonly locate: () => Promise<string | undefined>;
  /** Opens the output of a container that was found. */
  readonly openOutput: (details: ContainerDetails) => Promise<ContainerOutput>;
  /** Called once when the end is known: the dead container is to be removed later. */
  readonly onEnd: (engineId: string | undefined, end: ContainerEnd) => void;
}

/** A call that failed is tried again after so long, unless the daemon's return comes first. */
const RETRY = 2_000;
const KILL_RETRY = 5_000;
const DEFAULT_STOP_SIGNAL = "SIGTERM";

/**
 * One container from its start, or its recovery, to its end:
 *
 *   unlocated ──found──▶ running ──ended──▶ ending (its output is brought in) ──▶ over
 *        └──────────────not there─────────────▲
 */
type Phase = "unlocated" | "running" | "ending" | "over";

const MOVES: Readonly<Record<Phase, readonly Phase[]>> = {
  unlocated: ["running", "ending"],
  running: ["ending"],
  ending: ["over"],
  over: [],
};

export class TrackedContainer {
  readonly subject: Subject;
  readonly #options: TrackedOptions;
  readonly #over = Promise.withResolvers<ContainerTermination>();
  readonly #checks = new SerialQueue();
  resources: Subject["resources"];
  limits: Subject["limits"];
  /** Bytes that it is held to by an order, whatever its resources say. */
  orderedMemory: number | undefined;
  #engineId: string | undefined;
  #details: ContainerDetails | undefined;
  #output: ContainerOutput | undefined;
  #stop: StopRequest | undefined;
  #signalled = false;
  #limitation: Limitation | undefined;
  #toldOutput = false;
  #stopTimer: Timer | undefined;
  #retry: Timer | undefined;
  #phase: Phase = "unlocated";
  #isClosed = false;

  constructor(options: TrackedOptions) {
    this.#options = options;
    this.subject = options.subject;
    this.resources = options.subject.resources;
    this.limits = options.subject.limits;
    // Nobody may be waiting yet.
    this.#over.promise.catch(() => undefined);
  }

  get engineId(): string | undefined {
    return this.#engineId;
  }

  /** What was last seen of it. */
  get details(): ContainerDetails | undefined {
    return this.#details;
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** A move that the table does not have is a defect of ours. */
  #move(to: Phase): void {
    if (!MOVES[this.#phase].includes(to))
      throw new Error(`container ${this.subject.containerId} cannot go from ${this.#phase} to ${to}`);
    this.#phase = to;
  }

  get over(): Promise<ContainerTermination> {
    return this.#over.promise;
  }

  /** How its loopback is reached now. Rejects while it was not found. */
  async reach(): Promise<Reach> {
    if (this.#details === undefined) throw new Error(`container ${this.subject.containerId} has not been found yet`);
    const { engine } = this.#options;
    const { id } = this.#details;
    return reachOf(this.#details, async () => {
      this.#details = await engine.inspect(id);
      return this.#details;
    });
  }

  /** Takes over a container that was just started, with its output. */
  started(details: ContainerDetails, output: ContainerOutput): void {
    this.#move("running");
    this.#engineId = details.id;
    this.#details = details;
    this.#output = output;
    if (hasEnded(details.state)) void this.check();
  }

  /** Takes up a kill that was asked for before a restart, and why. */
  async resume(): Promise<void> {
    this.orderedMemory = await this.#options.state.memory(this.subject.containerId);
    this.#stop = await this.#options.state.stop(this.subject.containerId);
    this.#limitation = this.#stop?.limitation;
    // Asked already, before the restart.
    this.#signalled = this.#stop !== undefined;
    this.#arm();
  }

  /** Looks whether it has ended. Never rejects: what cannot be found out now is asked again. */
  check(): Promise<void> {
    if (this.#checks.length > 1) return this.#checks.drained();
    return this.#checks.add(async () => {
      if (this.isOver || this.#isClosed) return;
      try {
        await this.#look();
      } catch (error) {
        this.#options.log.verbose(1, `Container ${this.subject.containerId}: ${messageOf(error)}`);
        this.#retry?.cancel();
        if (!this.#isClosed) this.#retry = this.#options.clock.after(RETRY, () => void this.check());
      }
    });
  }

  async #look(): Promise<void> {
    const { engine, locate, state } = this.#options;
    this.#engineId ??= await locate();
    const details = this.#engineId === undefined ? undefined : await inspect(engine, this.#engineId);
    if (details === undefined) {
      const error = "the container was removed by somebody else, its exit status is unknown";
      return this.#finish((await state.end(this.subject.containerId)) ?? { oomKilled: false, asked: false, error });
    }
    this.#details = details;
    const isFound = this.#phase === "unlocated";
    if (isFound) this.#move("running");
    if (details.state.status === "created") {
      return this.#finish({ oomKilled: false, asked: false, error: "the container was never started" });
    }
    if (this.#output === undefined && !this.#isClosed) await this.#follow(details);
    if (hasEnded(details.state)) return this.#finish(endOf(details.state, this.#stop !== undefined));
    // Only then: a kill looks afterwards whether it helped, and would be armed again at once and for ever.
    if (isFound) this.#arm();
  }

  /** Brings its log into the sandbox, unless the task made a FIFO, a device or a link of its place there: told once. */
  async #follow(details: ContainerDetails): Promise<void> {
    try {
      const output = await this.#options.openOutput(details);
      this.#output = output;
      await output.start();
    } catch (error) {
      if (!(error instanceof NotHeld)) throw error;
      const { containerId } = this.subject;
      if (!this.#toldOutput)
        this.#options.log.warn(`Container ${containerId}: its output is not kept: ${error.message}`);
      this.#toldOutput = true;
    }
  }

  async #finish(end: ContainerEnd): Promise<void> {
    const { state, onEnd, log } = this.#options;
    const { containerId } = this.subject;
    // A daemon that is asked once more while the output is brought in says the same.
    if (this.#phase !== "ending") this.#move("ending");
    this.#stopTimer?.cancel();
    await state.saveEnd(containerId, end).catch((error) => {
      log.warn(`Container ${containerId}: cannot keep its exit status: ${messageOf(error)}`);
    });
    await this.#output?.finish();
    this.#move("over");
    this.#over.resolve(terminationOf(end, this.#details?.memory || undefined, this.#limitation));
    onEnd(this.#engineId, end);
  }

  /** It went over a limit: it is ended, and that is why. */
  async limit(limitation: Limitation): Promise<void> {
    if (this.isOver || this.#limitation !== undefined) return;
    this.#limitation = limitation;
    const { containerId } = this.subject;
    this.#options.log.info(`Container ${containerId} has reached its limit and is ended: ${limitation.message}`);
    await this.stop(0);
  }

  /** Asks it to end; after `grace` milliseconds from the first call it is killed. Kept over restarts. */
  async stop(grace: number): Promise<void> {
    if (this.isOver) return;
    const { clock, state, log } = this.#options;
    const askedAt = this.#stop?.askedAt ?? clock.now();
    const deadline = Math.min(this.#stop?.deadline ?? Number.MAX_SAFE_INTEGER, askedAt + Math.max(0, grace));
    this.#stop = { askedAt, deadline, limitation: this.#limitation };
    await state.saveStop(this.subject.containerId, this.#stop).catch((error) => {
      // A full disk, perhaps by what is to be ended: that is ended all the same.
      log.warn(`Container ${this.subject.containerId}: cannot keep that it is to end: ${messageOf(error)}`);
    });
    // However short the grace: what is ended has heard that it is to end.
    if (!this.#signalled) await this.#signal();
    if (deadline <= clock.now()) await this.#kill();
    this.#arm();
  }

  async #signal(): Promise<void> {
    const { log } = this.#options;
    if (this.#engineId === undefined) return;
    try {
      await this.#options.engine.kill(this.#engineId, this.#details?.stopSignal ?? DEFAULT_STOP_SIGNAL);
      this.#signalled = true;
    } catch (error) {
      log.warn(`Container ${this.subject.containerId}: cannot be asked to stop: ${messageOf(error)}`);
    }
  }

  async #kill(): Promise<void> {
    if (this.#engineId === undefined || this.isOver) return;
    try {
      await this.#options.engine.kill(this.#engineId, "SIGKILL");
    } catch (error) {
      this.#options.log.warn(`Container ${this.subject.containerId}: cannot be killed yet: ${messageOf(error)}`);
    }
    void this.check();
  }

  /** The kill timer: fires at the deadline, and again while the container lives. */
  #arm(): void {
    const { clock } = this.#options;
    this.#stopTimer?.cancel();
    if (this.#stop === undefined || this.isOver || this.#isClosed) return;
    const { askedAt, deadline } = this.#stop;
    // Never longer than the whole grace, whatever somebody has set the clock to meanwhile.
    const left = Math.min(deadline - clock.now(), deadline - askedAt);
    this.#stopTimer = clock.after(Math.max(0, left), () => {
      void this.#kill();
      this.#stopTimer = clock.after(KILL_RETRY, () => this.#arm());
    });
  }

  /** The daemon is back: what it was asked in the meantime may be lost. */
  async healed(): Promise<void> {
    if (this.#stop !== undefined && !this.#signalled && this.#stop.deadline > this.#options.clock.now()) {
      await this.#signal();
    }
    await this.check();
  }

  /** Lets go; the container goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.cancel();
    this.#retry?.cancel();
    await this.#output?.close();
  }
}

/** Undefined: there is no such container. */
async function inspect(engine: Engine, id: string): Promise<ContainerDetails | undefined> {
  try {
    return await engine.inspect(id);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
