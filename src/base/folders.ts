import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "./errors.ts";

/**
 * Makes a folder and those above it that are missing; one that is there is left as it is. Throws the system's error.
 * Node's own `recursive` never returns where a parent is there and refuses children with ENOENT, as /proc does. What is
 * missing is asked for, not tried: an error costs as much as five questions, and a launch makes a dozen folders.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const missing = [path];
  for (let folder = dirname(path); !existsSync(folder) && folder !== dirname(folder); folder = dirname(folder))
    missing.push(folder);
  if (missing.length === 1 && existsSync(path) && statSync(path).isDirectory()) return;
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Somebody else was faster; a file in the way of a child shows when that is made.
      if (codeOf(error) !== "EEXIST" || (folder === path && !statSync(folder).isDirectory())) throw error;
    }
  }
}
