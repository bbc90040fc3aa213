import type { AgentFlags } from "../flags/table.ts";
import type { ExecutorRecord, FrameworkRecord } from "../model/records.ts";

/** Who tasks and executors run as. */
export class TaskUsers {
  readonly #switches: boolean;

  constructor({ switch_user }: Pick<AgentFlags, "switch_user">, isRoot: boolean) {
    this.#switches = switch_user && isRoot;
  }

  /** undefined: the agent's own user. */
  of(framework: FrameworkRecord, executor: ExecutorRecord): string | undefined {
    if (!this.#switches) return undefined;
    return executor.info.command?.user || framework.info.user || undefined;
  }
}
