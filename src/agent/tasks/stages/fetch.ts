import type { UriFetcher } from "../../model/uri-fetcher.ts";
import type { Stage } from "./stage.ts";

/** What the command's URIs name is in the sandbox before anything of the container is. */
export const fetchStage = (fetcher: UriFetcher): Stage => ({
  name: "fetch",
  prepare: ({ executor, user, signal }) => {
    const uris = executor.info.command?.uris ?? [];
    if (uris.length === 0) return undefined;
    return fetcher.fetch({ containerId: executor.containerId, sandbox: executor.directory, user, uris, signal });
  },
});
