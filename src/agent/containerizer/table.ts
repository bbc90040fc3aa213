import type { OpenContainerizer } from "./context.ts";
import { openDocker } from "./docker/open.ts";
import { openMesos } from "./mesos/open.ts";

/** A new containerizer is a folder of its own and a row here: `--containerizers`, its check and what runs are made from this. */
export const containerizers: Readonly<Record<string, OpenContainerizer>> = { docker: openDocker, mesos: openMesos };
