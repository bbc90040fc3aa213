import type { StartedContainer } from "../../model/container.ts";
import type { RunKey } from "../../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../../model/records.ts";

/** One launch, as its stages see it. */
export interface Launch {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  /** Set for command tasks. */
  readonly task: TaskRecord | undefined;
  readonly run: RunKey;
  /** Who it runs as; undefined: the agent's own user. */
  readonly user: string | undefined;
  readonly signal: AbortSignal;
  /** The container, from the stage that starts it on. */
  started: StartedContainer | undefined;
}

/** What is there of a launch after a restart of the agent. */
export type RecoveredLaunch = Pick<Launch, "framework" | "executor">;

/**
 * One step of a launch. Prepared in the order of the list; undone in reverse, whatever half happened, and only when the
 * launch fails: what a launch that succeeded leaves is undone when its executor is over (`ending.ts`).
 */
export interface Stage {
  readonly name: string;
  prepare(launch: Launch): void | Promise<void>;
  /** After a restart, for what an earlier agent prepared. */
  recover?(launch: RecoveredLaunch): void;
  /** Undoes prepare after a failed launch. Must bear being called when prepare failed half-way. */
  cleanup?(launch: Launch): void | Promise<void>;
}
