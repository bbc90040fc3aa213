import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { Containerizer } from "../model/container.ts";
import type { GarbageCollection } from "../model/garbage-collection.ts";
import type { Identity } from "../model/identity.ts";
import type { UriFetcher } from "../model/uri-fetcher.ts";
import type { Accounts } from "../users/accounts.ts";

/** What containerizers are opened with. */
export interface ContainerizerContext {
  readonly flags: AgentFlags;
  /** The agent's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `process.arch` */
  readonly architecture: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: Identity;
  readonly accounts: Accounts;
  /** The container that the agent itself runs in. */
  readonly ownContainerId: string | undefined;
  readonly isRoot: boolean;
  readonly fetcher: UriFetcher;
  readonly gc: GarbageCollection;
}

export interface OpenedContainerizer {
  readonly containerizer: Containerizer;
  /** By the names of the metrics. */
  readonly figures?: () => Iterable<readonly [string, number]>;
}

/** Throws a UserError for settings that cannot be met. */
export type OpenContainerizer = (context: ContainerizerContext) => OpenedContainerizer | Promise<OpenedContainerizer>;
