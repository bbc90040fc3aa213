import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { AgentFlags } from "../flags/table.ts";

/** What isolators are opened with: each takes from the flags what is its own. */
export interface IsolationContext {
  readonly flags: AgentFlags;
  readonly clock: Clock;
  readonly log: Logger;
}
