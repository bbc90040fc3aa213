import type { CommandInfo_URI } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { FetchProgress } from "../../model/container.ts";
import type { Stage } from "./stage.ts";

/** Brings URIs into a sandbox, as the user it belongs to. */
export interface UriFetcher {
  /** Rejects with the TaskFailure to report; with the signal's reason when it is aborted. */
  fetch(request: {
    readonly containerId: string;
    readonly sandbox: string;
    /** undefined: the agent's own. */
    readonly user: string | undefined;
    readonly uris: readonly CommandInfo_URI[];
    readonly signal: AbortSignal;
    readonly progress: (progress: FetchProgress) => void;
  }): Promise<void>;
}

/** What the command's URIs name is in the sandbox before anything of the container is. */
export const fetchStage = (fetcher: UriFetcher): Stage => ({
  name: "fetch",
  prepare: ({ executor, user, signal }) => {
    const uris = executor.info.command?.uris ?? [];
    if (uris.length === 0) return undefined;
    const progress = (fetching: FetchProgress): void => {
      if (executor.launching !== undefined) executor.launching = { ...executor.launching, fetching };
    };
    const { containerId, directory: sandbox } = executor;
    return fetcher.fetch({ containerId, sandbox, user, uris, signal, progress });
  },
});
