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

/**
 * Makes a folder and those above it that are missing. `below` is one above it that is probably there: those between are made
 * from it on, a call each, where Node's `recursive` fails once for each of them first. Throws the system's error.
 */
export function makeFolders(path: string, mode: number, below?: string): void {
  if (below !== undefined && path.startsWith(`${below}/`) && madeFrom(path, mode, below)) return;
  mkdirSync(path, { recursive: true, mode });
}

/** False where `below` is not there, or something else is in the way: that is for the slow way to say. */
function madeFrom(path: string, mode: number, below: string): boolean {
  for (let end = below.length; end < path.length; ) {
    const next = path.indexOf("/", end + 1);
    end = next < 0 ? path.length : next;
    try {
      mkdirSync(path.slice(0, end), { mode });
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || end === path.length) return false;
    }
  }
  return true;
}
