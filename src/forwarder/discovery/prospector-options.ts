import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import type { Source } from "../model/source.ts";
import type { Descriptors } from "../reading/descriptors.ts";

export interface ProspectorOptions {
  readonly groups: readonly FileGroup[];
  readonly reading: Pick<ReadingSettings, "tail">;
  readonly forgetAfter: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly descriptors: Descriptors;
  /** Which of the entries that name `path` these are, from 0. */
  readonly entryOf: (path: string) => number;
  /** Files that the program writes itself. */
  readonly isOwn: (path: string) => boolean;
  /** The source has, or may have, something to read. */
  readonly changed: (source: Source) => void;
  /** Nothing more will be read of the source: no copy of its content was found. */
  readonly abandoned: (source: Source) => void;
  /** What the registry holds of the sources has changed. */
  readonly recorded: () => void;
}
