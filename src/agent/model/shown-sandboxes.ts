import type { ExecutorRecord } from "./records.ts";

/** Which sandboxes the files endpoint shows. */
export interface ShownSandboxes {
  attach(executor: ExecutorRecord): void;
  /** That of a run that is over: it is not the executor's latest any more, if another came after it. */
  attachPast(executor: ExecutorRecord): void;
}
