import type { ExecutorRecord } from "./records.ts";

/** Which sandboxes the files endpoint shows. */
export interface ShownSandboxes {
  attach(executor: ExecutorRecord): void;
}
