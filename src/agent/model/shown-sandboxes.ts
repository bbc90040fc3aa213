import type { ExecutorRecord, FrameworkRecord } from "./records.ts";

/** Which sandboxes the files endpoint shows. */
export interface ShownSandboxes {
  attach(framework: FrameworkRecord, executor: ExecutorRecord): void;
  /** That of a run that is over: it is not the executor's latest any more, if another came after it. */
  attachPast(framework: FrameworkRecord, executor: ExecutorRecord): void;
}
