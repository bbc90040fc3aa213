import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "../../base/errors.ts";

/** The folder itself, or the nearest one above it that exists. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/**
 * What to tell when the agent's first write fails: which folder cannot be written and why. Asked of the system once more,
 * because making a folder below a read-only one is reported as if something were missing.
 */
export function unwritable(path: string, error: unknown): UserError {
  const folder = nearestFolder(dirname(path));
  let why = messageOf(error);
  try {
    accessSync(folder, constants.W_OK);
  } catch (refused) {
    why = messageOf(refused);
  }
  return new UserError(
    `cannot write ${path}: ${why}`,
    `give the agent a --work_dir on a disk that has room and that it may write to (looked at ${folder})`,
    { cause: error },
  );
}
