import { join, normalize } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { within } from "../../../base/deadline.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import type { Isolation, Limitation } from "../../model/isolation.ts";
import { Findings } from "./findings.ts";
import type { ProcessTable } from "./process-table.ts";
import { type Adoption, predecessorDone } from "./recovery.ts";
import type { RuntimeFolder } from "./runtime-folder.ts";
import type { Supervision } from "./supervision.ts";

/** Milliseconds that launches of a killed agent or launcher are waited for. */
export const PREDECESSOR = 10_000;
/** Milliseconds that one container may hold up the recovery of all. */
const RECOVERY = 10_000;

export interface TakeoverOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly folder: RuntimeFolder;
  readonly table: ProcessTable;
  readonly supervision: Supervision;
  readonly isolation: Isolation;
  /** The work_dir, below which all sandboxes of this agent lie. */
  readonly owner: string;
  /** A container went over a limit. */
  readonly limited: (id: string, limitation: Limitation) => void;
}

/** Takes up what a previous agent started: its containers, and the end of those that nobody expects. */
export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #findings: Findings;

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#findings = new Findings(options.folder, options.table, options.log);
  }

  /** Supervises what is left of the expected ones; each is `known` before anything of it is. Resolves to their ids. */
  async expected(
    containers: readonly CheckpointedContainer[],
    known: (container: CheckpointedContainer) => void,
  ): Promise<ReadonlySet<string>> {
    const { clock, log, folder } = this.#options;
    if (!(await predecessorDone(clock, folder.launching, PREDECESSOR))) {
      log.warn("A launcher of a previous agent is still at work; its last launches may be lost");
    }
    const recovered = new Set<string>();
    for (const container of containers) {
      const id = container.containerId;
      const found = container.processless ? undefined : await this.#findings.of(id, container);
      if (found?.kind === "unknown") continue;
      recovered.add(id);
      known(container);
      if (container.sharesGroupsOf === undefined) {
        const isolated = this.#isolated(container);
        if ((await within(clock, RECOVERY, isolated, "late" as const)) === "late")
          log.warn(`Container ${id}: its isolation could not be taken up within ${RECOVERY / 1000} s; going on`);
      }
      if (found !== undefined) this.#adopt(id, found);
    }
    return recovered;
  }

  async #isolated(container: CheckpointedContainer): Promise<void> {
    const { isolation, folder, log, limited } = this.#options;
    const id = container.containerId;
    await isolation.recover(container, (limitation) => limited(id, limitation));
    const ordered = folder.orderedMemory(id);
    if (ordered === undefined) return;
    await isolation.limitMemory(id, ordered).catch((error: unknown) => {
      log.error(`Container ${id}: its memory limit could not be taken up: ${messageOf(error)}`);
    });
  }

  #adopt(id: string, found: Exclude<Adoption, { kind: "unknown" }>): void {
    const { log, supervision, folder } = this.#options;
    log.info(`Recovered container ${id}: ${found.kind}`);
    if (found.kind === "ended") {
      supervision.addEnded(id, found.status);
      return;
    }
    if (found.kind === "foreign") {
      supervision.add({ id, tree: { shim: undefined, pid: found.pid }, since: found.since, announced: false });
      return;
    }
    const since = found.kind === "running" ? found.since : "";
    supervision.started(id, { shim: found.shim, since, pid: found.pid });
    if (found.kind === "unsupervised") return supervision.shimLost(id);
    const deadline = folder.deadline(id);
    if (deadline !== undefined) supervision.resumeStop(id, deadline);
  }

  /** Ends what nobody expects, and forgets it by `remove`. `known`: what stays, whether it runs, has ended or has no process. */
  async endOrphans(known: ReadonlySet<string>, remove: (id: string) => Promise<void>): Promise<void> {
    const { log, supervision, folder, isolation } = this.#options;
    for (const id of folder.own()) {
      if (known.has(id)) continue;
      const found = await this.#findings.of(id, undefined);
      if (found.kind === "running" || found.kind === "unsupervised") {
        log.info(`Ending orphan container ${id}`);
        const since = found.kind === "running" ? found.since : "";
        supervision.started(id, { shim: found.shim, since, pid: found.pid });
        if (found.kind === "running") supervision.kill(id);
        else supervision.shimLost(id);
        void supervision.get(id)?.termination.then(() => remove(id));
      } else if (folder.isCertainlyOver(id)) folder.remove(id);
    }
    await this.#endLeft(known, remove);
    const alive = new Set([...known, ...supervision.ids()]);
    void isolation.sweep(alive).catch((error: unknown) => log.error(`Ending orphans: ${messageOf(error)}`));
  }

  /** So do those of a C++ agent with this work_dir: executors that are not checkpointed, and what ran within them. */
  async #endLeft(known: ReadonlySet<string>, remove: (id: string) => Promise<void>): Promise<void> {
    const { log, supervision, folder, owner } = this.#options;
    const sandboxes = normalize(join(owner, "slaves"));
    for (const root of folder.leftIds().filter((id) => !known.has(id))) {
      const orphans = await this.#findings.orphans(root, sandboxes);
      for (const { key, pid, since } of orphans.filter((orphan) => !known.has(orphan.key))) {
        log.info(`Ending orphan container ${key} of a C++ agent`);
        const added = supervision.add({ id: key, tree: { shim: undefined, pid }, since, announced: false });
        supervision.kill(key);
        void added.termination.then(() => remove(key));
      }
    }
  }
}
