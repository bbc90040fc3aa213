import type { Logger } from "../../base/log.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { Paths } from "../model/paths.ts";
import { ownVolumes } from "../sandbox/volume-owner.ts";
import type { Stage } from "./launch.ts";

export interface StageOptions {
  readonly log: Logger;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  /** Makes a sandbox that belongs to `user`, and the link to the newest one. */
  readonly createSandbox: (directory: string, user: string | undefined) => void | Promise<void>;
}

/** The stages of a launch before its container; the list is the launch. */
export function launchStages({ store, createSandbox, paths, log }: StageOptions): readonly Stage[] {
  return [
    { name: "sandbox", prepare: ({ executor, user }) => createSandbox(executor.directory, user) },
    {
      name: "volumes",
      prepare: ({ executor, task }) => {
        const resources = [...executor.info.resources, ...(task?.task.resources ?? [])];
        ownVolumes(paths.workDir, resources, executor.directory, log);
      },
    },
    {
      name: "pid",
      prepare: () => undefined,
      started: ({ framework, run }, { pid }) => {
        if (framework.info.checkpoint && pid !== undefined) store.forkedPid(run, pid);
      },
    },
  ];
}
