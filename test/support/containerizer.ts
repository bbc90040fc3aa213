import { join } from "node:path";
import {
  MesosContainerizer,
  type MesosContainerizerOptions,
} from "../../src/agent/containerizer/mesos/containerizer.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { noIsolation } from "./no-isolation.ts";

/** The real mesos containerizer with everything below `folder`. */
export function openContainerizer(folder: string, more: Partial<MesosContainerizerOptions> = {}): MesosContainerizer {
  return new MesosContainerizer({
    clock: systemClock,
    log: silentLogger,
    runtimeDir: join(folder, "runtime"),
    owner: join(folder, "work"),
    volumesRoot: join(folder, "work", "volumes"),
    architecture: process.arch,
    path: process.env["PATH"],
    isolation: noIsolation,
    ...more,
  });
}
