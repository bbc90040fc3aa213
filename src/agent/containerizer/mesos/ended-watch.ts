import { type FSWatcher, watch } from "node:fs";
import { type Clock, every, type Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";

/** Milliseconds between looks at the whole folder, should the kernel have dropped an event. */
const LOOK_AGAIN = 30_000;

/**
 * Watches the folder into which shims put a name when their container has ended (one inotify watch for all containers,
 * the same before and after a restart of the agent). `ended` may be called more than once for a name.
 */
export function watchEnded(options: {
  readonly clock: Clock;
  readonly log: Logger;
  readonly folder: string;
  readonly list: () => readonly string[];
  readonly ended: (id: string) => void;
}): Timer {
  const { clock, log, folder, list, ended } = options;
  const look = (): void => {
    try {
      for (const id of list()) ended(id);
    } catch (error) {
      log.error(`Reading '${folder}': ${messageOf(error)}`);
    }
  };
  let watcher: FSWatcher | undefined;
  const begin = (): void => {
    try {
      watcher = watch(folder, (_event, name) => (name === null ? look() : ended(name)));
      watcher.on("error", (error) => {
        log.error(`Watching '${folder}': ${messageOf(error)}; looking every ${LOOK_AGAIN / 1000} s instead`);
        watcher?.close();
      });
    } catch (error) {
      // fs.inotify.max_user_watches or max_user_instances: the regular look still finds every end.
      log.error(`Watching '${folder}': ${messageOf(error)}; looking every ${LOOK_AGAIN / 1000} s instead`);
    }
  };
  begin();
  look();
  const timer = every(clock, LOOK_AGAIN, look);
  return {
    cancel: () => {
      timer.cancel();
      watcher?.close();
    },
  };
}
