import type { FetchProgress } from "../../model/container.ts";
import type { UriFetcher } from "../../model/uri-fetcher.ts";
import type { Stage } from "./stage.ts";

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
