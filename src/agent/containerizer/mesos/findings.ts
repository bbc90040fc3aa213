import type { Logger } from "../../../base/log.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import { isAlive, type ProcessTable } from "./process-table.ts";
import { type Adoption, adoption, foreignAdoption, foreignSince, isSessionOf, sighting } from "./recovery.ts";
import type { RuntimeFolder } from "./runtime-folder.ts";

const isBelow = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

/** What a restarted agent finds of containers: the runtime folder's files, and what runs. For one recovery. */
export class Findings {
  readonly #folder: RuntimeFolder;
  readonly #table: ProcessTable;
  readonly #log: Logger;
  /** Supervisors that run, by container id; looked for when first needed. */
  #shims: ReadonlyMap<string, number> | undefined;

  constructor(folder: RuntimeFolder, table: ProcessTable, log: Logger) {
    this.#folder = folder;
    this.#table = table;
    this.#log = log;
  }

  /** `container` undefined: nobody expects it, it is only there. */
  async of(id: string, container: CheckpointedContainer | undefined): Promise<Adoption> {
    const processes = this.#folder.processes(id);
    const look = (): Adoption =>
      adoption({
        processes,
        status: this.#folder.status(id),
        owner: this.#folder.owner,
        sameSpace: processes !== undefined && this.#folder.sameSpace(processes),
        shimAlive: processes !== undefined && isAlive(this.#table, processes.shim, processes.since),
      });
    let found = look();
    // The shim may have written the status and ended between the two looks.
    if (found.kind === "unsupervised") found = look();
    if (container !== undefined) found = this.#verified(found, container);
    if (found.kind !== "unknown" || container === undefined || processes !== undefined) return found;
    const left = await foreignAdoption(this.#table, container);
    // What ran within an executor's container: the executor still asks how it ended.
    const isOver = left.kind === "unknown" && id.includes(".") && this.#folder.leftPid(id) !== undefined;
    return isOver ? { kind: "ended", status: this.#folder.status(id) } : left;
  }

  /** What still runs of a container that a C++ agent left and of those within it, the deepest first: in sandboxes below `folder`. */
  async orphans(key: string, folder: string): Promise<{ key: string; pid: number; since: string }[]> {
    const found: { key: string; pid: number; since: string }[] = [];
    for (const id of this.#folder.leftWithin(key)) found.push(...(await this.orphans(`${key}.${id}`, folder)));
    const pid = this.#folder.leftPid(key);
    const since = pid === undefined ? undefined : await foreignSince(this.#table, pid, (path) => isBelow(path, folder));
    return pid === undefined || since === undefined ? found : [...found, { key, pid, since }];
  }

  /** What the file says, held against what runs: a damaged one must neither report an end nor have others killed. */
  #verified(found: Adoption, { containerId, sandbox }: CheckpointedContainer): Adoption {
    // The task is a child of its supervisor: another process by that id is none of ours to signal.
    if (found.kind === "running") {
      const isTask = this.#table.stat(found.pid)?.parent === found.shim;
      return isTask ? found : (sighting(this.#table, found.shim) ?? found);
    }
    const isSettled = found.kind === "ended" && found.status !== undefined;
    if (isSettled || !this.#folder.isDoubtful(containerId)) return found;
    this.#shims ??= this.#table.shims();
    const seen = sighting(this.#table, this.#shims.get(containerId));
    const file = this.#folder.processesFile(containerId);
    if (seen !== undefined) {
      this.#log.error(
        `'${file}' is damaged or missing; container ${containerId} runs, under its supervisor ${seen.shim}`,
      );
      return seen;
    }
    if (found.kind !== "unsupervised" || isSessionOf(this.#table, found.pid, sandbox)) return found;
    this.#log.error(
      `'${file}' names process ${found.pid}, which is gone or not the container's: nothing is left of it`,
    );
    return { kind: "ended", status: undefined };
  }
}
