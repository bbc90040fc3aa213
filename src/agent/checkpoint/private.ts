import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../base/errors.ts";
import { makeFolder } from "../../base/folders.ts";
import type { Paths } from "../model/paths.ts";

const OTHERS = 0o077;
/** How many folders are gone through at once. */
const AT_ONCE = 32;

/**
 * Makes the folder of the checkpoints, open to nobody else, in a work_dir that users can walk through to their sandboxes;
 * and closes what an earlier version left open in it. Resolves when all of it is closed. What cannot be made is said by
 * the first write.
 */
export async function keepPrivate(paths: Paths): Promise<void> {
  const root = paths.meta.root();
  if (!openToOthers(paths.workDir, root)) return;
  await close(root);
}

/** Makes the folder, or shuts it: from then on nobody gets in. Whether what lies in it was open before. */
function openToOthers(workDir: string, root: string): boolean {
  try {
    makeFolder(workDir, 0o755);
    if (lstatSync(root, { throwIfNoEntry: false }) === undefined) {
      mkdirSync(root, { mode: 0o700 });
      return false;
    }
    if ((lstatSync(root).mode & OTHERS) === 0) return false;
    chmodSync(root, 0o700);
    return true;
  } catch {
    return false;
  }
}

async function close(root: string): Promise<void> {
  const folders = [root];
  const work = async (): Promise<void> => {
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(path);
        if (entry.isDirectory() || entry.isFile()) await chmod(path, entry.isFile() ? 0o600 : 0o700).catch(unlessGone);
      }
    }
  };
  // A worker that finds nothing to do ends; the folder tree is wide, so the others have the rest.
  while (folders.length > 0) await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function unlessGone(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}
