import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "./errors.ts";

/**
 * Makes a folder and those above it that are missing; one that is there is left as it is. Throws the system's error.
 * Node's own `recursive` never returns where a parent is there and refuses children with ENOENT, as /proc does.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      mkdirSync(folder, { mode });
      break;
    } catch (error) {
      const code = codeOf(error);
      if (code === "EEXIST" || code === "EISDIR") {
        // A file in the way shows when its child is made; the last one must be a folder itself.
        if (missing.length === 0 && !statSync(folder).isDirectory()) throw error;
        break;
      }
      if (code !== "ENOENT" || folder === dirname(folder)) throw error;
      missing.push(folder);
    }
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Somebody else was faster.
      if (codeOf(error) !== "EEXIST") throw error;
    }
  }
}
