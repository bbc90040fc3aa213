import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { makeFolders } from "../../base/folders.ts";
import { TaskFailure } from "../model/failure.ts";

/** Owner of a sandbox; undefined: the agent's own user. */
export interface SandboxOwner {
  readonly uid: number;
  readonly gid: number;
}

/** As Mesos 1.6 and later: others do not look into sandboxes. Folders above are 0755, so that users reach theirs. */
const SANDBOX_MODE = 0o750;
const FOLDER_MODE = 0o755;

/**
 * Makes the run directory `…/runs/<container id>` and the folders above it, gives it to `owner`, and points
 * `…/runs/latest` at it. Synchronous and few system calls, because every launch pays for them. Only the run directory
 * itself changes its owner: nothing else in it exists yet. Throws a TaskFailure.
 */
export function createSandbox(directory: string, owner: SandboxOwner | undefined): void {
  try {
    makeDirectory(directory);
    if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
    link(join(dirname(directory), "latest"), directory);
  } catch (error) {
    throw TaskFailure.launch(`Failed to create the sandbox '${directory}': ${messageOf(error)}`, { cause: error });
  }
}

function makeDirectory(directory: string): void {
  const runs = dirname(directory);
  // Its executor's folder and `runs` are its own, those above are there but for the first executor of a framework.
  makeFolders(runs, FOLDER_MODE, dirname(dirname(runs)));
  mkdirSync(directory, { mode: SANDBOX_MODE });
  // umask may have taken bits away.
  chmodSync(directory, SANDBOX_MODE);
}

/** Replaces the link by rename: unlike in the C++ agent there is no moment without one. */
function link(path: string, target: string): void {
  try {
    symlinkSync(target, path);
    return;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}
