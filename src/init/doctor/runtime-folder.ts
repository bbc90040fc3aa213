import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { type Check, containerizersOf, findings } from "./finding.ts";

/** As the agent's flag has it. */
const DEFAULT = "/var/run/mesos";

/** Where the Mesos containerizer keeps what a reboot ends: the usual place is root's alone. Nothing to say where it may be made. */
export const runtimeFolder: Check = async (patient) => {
  // `npm start` gives its agent a folder of its own, below the node's.
  if (patient.root !== "" || !containerizersOf(patient).includes("mesos")) return [];
  const folder = patient.setting("MESOS_RUNTIME_DIR") ?? DEFAULT;
  let there = folder;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
    return [];
  } catch (error) {
    const fix = "MESOS_RUNTIME_DIR or --runtime_dir: a folder that this user may write to";
    return [findings("runtime_dir").failure(`${folder} cannot be made or written: ${messageOf(error)}`, fix)];
  }
};
