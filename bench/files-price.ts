import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, symlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removedAtEnd } from "./leftovers.ts";

/** What is made for a task that starts: its checkpoint, its sandbox, what its shim writes. `/` ends a folder, `@` a link. */
const MADE = [
  ...["meta/", "meta/executor.info", "meta/generated", "meta/runs/", "meta/runs/id/", "meta/runs/latest@"],
  ...["meta/runs/id/pids/", "meta/runs/id/pids/forked.pid", "meta/runs/id/tasks/", "meta/runs/id/tasks/id/"],
  ...["task.launch", "task.info", "task.updates"].map((name) => `meta/runs/id/tasks/id/${name}`),
  ...["sandbox/", "sandbox/runs/", "sandbox/runs/id/", "sandbox/runs/latest@"],
  ...["sandbox/runs/id/stdout", "sandbox/runs/id/stderr", "run/", "run/processes"],
];
const CONTENT = Buffer.alloc(200);

/** Seconds that the file system of TMPDIR takes for the files, folders and links of so many tasks, made one after the other by one process. */
export function filesPrice(count: number): number {
  const top = removedAtEnd(mkdtempSync(join(tmpdir(), "files-price-")));
  const begin = performance.now();
  for (let task = 0; task < count; task++) {
    for (const name of MADE) {
      const path = `${top}/${task}-${name}`;
      if (name.endsWith("/")) mkdirSync(path);
      else if (name.endsWith("@")) symlinkSync(path.repeat(3), path.slice(0, -1));
      else {
        const file = openSync(path, "wx", 0o600);
        writeSync(file, CONTENT);
        closeSync(file);
      }
    }
    chmodSync(`${top}/${task}-sandbox/runs/id`, 0o750);
  }
  return (performance.now() - begin) / 1000;
}
