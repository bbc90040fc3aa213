import type { FetchItem } from "./plan.ts";

/** Whose rights a fetch gets; undefined: the agent's own. */
export interface FetchUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** One URI for the process that fetches. */
export interface OrderedItem {
  readonly item: FetchItem;
  /** Opened for reading by the agent: what the cache has. Undefined: to be brought from its source. */
  readonly cached: { readonly descriptor: number; readonly shown: string; readonly fresh: boolean } | undefined;
}

/** What the agent asks of a fetch process: one line of JSON on its stdin, so that no URI stands in a process list. */
export interface FetchOrder {
  readonly user: FetchUser | undefined;
  /** The sandbox's path, for log lines; the folder itself is a descriptor. */
  readonly sandbox: string;
  readonly items: readonly OrderedItem[];
  /** Milliseconds without a byte after which a download fails; 0 never. */
  readonly stallTimeout: number;
  readonly hadoopHome: string | undefined;
}

/** What the process answers: one line of JSON. `failed` is the URI as it may be shown, `why` the reason. */
export type FetchOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly uri: string; readonly why: string };

/** How far it is, some lines before the answer: of the order's items, the one at `index`. */
export interface FetchNews {
  readonly kind: "progress";
  readonly index: number;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}

/**
 * Descriptors of a fetch process. stdin: the order; its end tells that the agent is gone. stdout and stderr: the
 * sandbox's, opened once by the agent. Then these, and what the cache has from FIRST_CACHED on.
 */
export const OUTCOME = 3;
export const SANDBOX = 4;
export const FIRST_CACHED = 5;
