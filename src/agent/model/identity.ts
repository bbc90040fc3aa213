import { create } from "@bufbuild/protobuf";
import { copyOf } from "../../mesos/copy.ts";
import { AgentIDSchema, type AgentInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "../../mesos/ids.ts";

/**
 * What the agent is doing (mesos-wire §3.1):
 *
 *   RECOVERING ──▶ DISCONNECTED ◀──▶ RUNNING
 *        │               │              │
 *        └───────────────┴──────────────┴──▶ TERMINATING
 *
 * RECOVERING: it takes up what an earlier agent left · DISCONNECTED: no master has it now, tasks go on · RUNNING: a master
 * has it · TERMINATING: everything here ends, and then the agent.
 */
export type AgentPhase = "RECOVERING" | "DISCONNECTED" | "RUNNING" | "TERMINATING";

const MOVES: Readonly<Record<AgentPhase, readonly AgentPhase[]>> = {
  RECOVERING: ["DISCONNECTED", "TERMINATING"],
  DISCONNECTED: ["RUNNING", "TERMINATING"],
  RUNNING: ["DISCONNECTED", "TERMINATING"],
  TERMINATING: [],
};

/** Who this agent is and what it is doing: one object, made first, that all rooms read. */
export class Identity {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Changes with every start: launches that were offered before are refused (mesos-wire §3.11). */
  readonly resourceVersion = newUuid();
  #info: AgentInfo;
  #phase: AgentPhase = "RECOVERING";

  /** `info`: hostname, port, resources, attributes, domain; no id. `now`: milliseconds since the epoch. */
  constructor(info: AgentInfo, now: number) {
    this.#info = info;
    this.startedAt = now;
  }

  get info(): AgentInfo {
    return this.#info;
  }

  /** The id that a master gave, once for ever. Throws while there is none: what needs it may not happen before. */
  get id(): string {
    const id = this.knownId;
    if (id === undefined) throw new Error("the agent has no id yet: no master has registered it");
    return id;
  }

  /** undefined until the first registration. */
  get knownId(): string | undefined {
    return this.#info.id?.value;
  }

  /** The id that the agent has from now on, for ever. */
  adopt(id: string): void {
    this.#info = copyOf(this.#info);
    this.#info.id = create(AgentIDSchema, { value: id });
  }

  get phase(): AgentPhase {
    return this.#phase;
  }

  /** A move that the table does not have is a defect of ours. */
  move(to: AgentPhase): void {
    if (this.#phase === to) return;
    if (!MOVES[this.#phase].includes(to)) throw new Error(`the agent cannot go from ${this.#phase} to ${to}`);
    this.#phase = to;
  }
}
