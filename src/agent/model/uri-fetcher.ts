import type { CommandInfo_URI } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { FetchProgress } from "./container.ts";
import type { SandboxPlace } from "./held/sandbox.ts";

/** Brings URIs into a sandbox, as the user it belongs to. */
export interface UriFetcher {
  /** Rejects with the TaskFailure to report; with the signal's reason when it is aborted. */
  fetch(
    request: SandboxPlace & {
      readonly containerId: string;
      /** undefined: the agent's own. */
      readonly user: string | undefined;
      readonly uris: readonly CommandInfo_URI[];
      readonly signal: AbortSignal;
      /** Told how far it is. */
      readonly progress?: (progress: FetchProgress) => void;
    },
  ): Promise<void>;
}
