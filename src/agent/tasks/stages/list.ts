import type { Logger } from "../../../base/log.ts";
import type { CheckpointStore } from "../../checkpoint/store.ts";
import type { Paths } from "../../model/paths.ts";
import type { ShownSandboxes } from "../../model/shown-sandboxes.ts";
import type { UriFetcher } from "../../model/uri-fetcher.ts";
import { type ContainerStageOptions, chosenStage, containerStage } from "./container.ts";
import { fetchStage } from "./fetch.ts";
import { forkedPidStage } from "./forked-pid.ts";
import { type Sandboxes, sandboxStage } from "./sandbox.ts";
import type { Stage } from "./stage.ts";
import { volumesStage } from "./volumes.ts";

export interface LaunchStagesOptions extends ContainerStageOptions {
  readonly log: Logger;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly sandboxes: Sandboxes;
  readonly shown: ShownSandboxes;
  readonly fetcher: UriFetcher;
}

/** A launch: prepared in this order, undone in reverse. */
export const launchStages = (options: LaunchStagesOptions): readonly Stage[] => [
  sandboxStage(options.sandboxes, options.shown),
  chosenStage(options),
  volumesStage(options.paths, options.log),
  fetchStage(options.fetcher),
  containerStage(options),
  forkedPidStage(options.store),
];
