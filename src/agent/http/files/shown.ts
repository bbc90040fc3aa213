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
    this.#files.attachRun(executor.directory, ownerOf(framework, executor), { isLatest: true });
  }

  attachPast(framework: FrameworkRecord, executor: ExecutorRecord): void {
    this.#files.attachRun(executor.directory, ownerOf(framework, executor), { isLatest: false });
  }
}

/** Kept with the sandbox: it outlives what is known of its executor. */
const ownerOf = ({ info }: FrameworkRecord, executor: ExecutorRecord): FileOwner => ({
  kind: "sandbox",
  user: executorUser(executor.info, info),
});
