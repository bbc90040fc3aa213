import type { Approver } from "../../authorization/approver.ts";
import { FilesError, type OpenedPath, type ShownFiles } from "../files/attached.ts";
import type { FileOwner } from "../files/owner.ts";

/** What is asked of somebody who wants files of this owner. */
export const askedFor = (owner: FileOwner) =>
  owner.kind === "log"
    ? ({ action: "access_mesos_logs", object: undefined } as const)
    : ({ action: "access_sandboxes", object: owner.user } as const);

/** The files that somebody may see. Whether something is there is not told of what may not be seen. */
export class PermittedFiles implements ShownFiles {
  readonly #files: ShownFiles;
  readonly #approver: Approver;
  readonly #refused: (action: string, path: string) => void;

  constructor(files: ShownFiles, approver: Approver, refused: (action: string, path: string) => void) {
    this.#files = files;
    this.#approver = approver;
    this.#refused = refused;
  }

  ownerOf(path: string): FileOwner | undefined {
    return this.#files.ownerOf(path);
  }

  *entries(): Generator<[string, string]> {
    for (const entry of this.#files.entries()) {
      const owner = this.#files.ownerOf(entry[0]);
      if (owner !== undefined && this.#mayShow(owner)) yield entry;
    }
  }

  async open(path: string): Promise<OpenedPath> {
    const owner = this.#files.ownerOf(path);
    if (owner !== undefined && !this.#mayShow(owner)) {
      this.#refused(askedFor(owner).action, path);
      throw new FilesError(403, "Not authorized to see this path.\n");
    }
    return await this.#files.open(path);
  }

  #mayShow(owner: FileOwner): boolean {
    const { action, object } = askedFor(owner);
    return this.#approver.allows(action, object);
  }
}
