import type { CheckpointStore } from "../../checkpoint/store.ts";
import type { Stage } from "./stage.ts";

/** The container's process is written down, where a C++ agent would look for it. */
export const forkedPidStage = (store: CheckpointStore): Stage => ({
  name: "forked pid",
  prepare: ({ framework, run, started }) => {
    if (framework.info.checkpoint && started?.pid !== undefined) store.forkedPid(run, started.pid);
  },
});
