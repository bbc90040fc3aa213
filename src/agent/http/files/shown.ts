import { dirname, join } from "node:path";
import type { ExecutorRecord } from "../../model/records.ts";
import type { ShownSandboxes } from "../../model/shown-sandboxes.ts";
import type { AttachedFiles } from "./attached.ts";

/** Shows sandboxes under the names that masters and tools use, until they are deleted. */
export class AttachedSandboxes implements ShownSandboxes {
  readonly #files: AttachedFiles;

  constructor(files: AttachedFiles) {
    this.#files = files;
  }

  attach({ directory, frameworkId, executorId }: ExecutorRecord): void {
    this.#files.attach(directory);
    this.#files.attach(directory, join(dirname(directory), "latest"));
    this.#files.attach(directory, `/frameworks/${frameworkId}/executors/${executorId}/runs/latest`);
  }
  attachPast({ directory }: ExecutorRecord): void {
    this.#files.attach(directory);
  }
}
