import { dirname, join } from "node:path";
import { executorUser } from "../../authorization/objects.ts";
import type { ExecutorRecord, FrameworkRecord } from "../../model/records.ts";
import type { ShownSandboxes } from "../../model/shown-sandboxes.ts";
import type { AttachedFiles } from "./attached.ts";
import type { FileOwner } from "./owner.ts";

/** Shows sandboxes under the names that masters and tools use, until they are deleted. */
export class AttachedSandboxes implements ShownSandboxes {
  readonly #files: AttachedFiles;

  constructor(files: AttachedFiles) {
    this.#files = files;
  }

  attach(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const { directory, frameworkId, executorId } = executor;
    const owner = ownerOf(framework, executor);
    this.#files.attach(directory, directory, owner);
    this.#files.attach(directory, join(dirname(directory), "latest"), owner);
    this.#files.attach(directory, `/frameworks/${frameworkId}/executors/${executorId}/runs/latest`, owner);
  }

  attachPast(framework: FrameworkRecord, executor: ExecutorRecord): void {
    this.#files.attach(executor.directory, executor.directory, ownerOf(framework, executor));
  }
}

/** Kept with the sandbox: it outlives what is known of its executor. */
const ownerOf = ({ info }: FrameworkRecord, executor: ExecutorRecord): FileOwner => ({
  kind: "sandbox",
  user: executorUser(executor.info, info),
});
