import type { Logger } from "../../../base/log.ts";
import type { Paths } from "../../model/paths.ts";
import { ownVolumes } from "../../sandbox/volume-owner.ts";
import type { Stage } from "./stage.ts";

/** Persistent volumes belong to the sandbox's owner while the task runs. */
export const volumesStage = (paths: Paths, log: Logger): Stage => ({
  name: "volumes",
  prepare: ({ executor, task }) => {
    const resources = [...executor.info.resources, ...(task?.task.resources ?? [])];
    ownVolumes(paths.workDir, resources, executor.directory, log);
  },
});
