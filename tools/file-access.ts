/**
 * Who in the agent may use files by their path: one table. The agent runs as root and tasks own their sandboxes, in which
 * any name may become a link, a mount or a FIFO at any moment. Whatever touches a sandbox therefore goes through
 * src/agent/model/held; everywhere else `node:fs` is only for what works on an opened descriptor, unless a row here says
 * what the file touches, and that nobody but the agent (or the system) can change it.
 *
 *   node tools/file-access.ts --check
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

/** Exports of node:fs that take a descriptor, or nothing: harmless anywhere. */
const BY_DESCRIPTOR = new Set([
  "closeSync",
  "constants",
  "fchmodSync",
  "fchownSync",
  "fdatasyncSync",
  "fstatSync",
  "fsyncSync",
  "ftruncateSync",
  "read",
  "readSync",
  "write",
  "writeSync",
]);

/** Files of src/agent that use paths, and what lies there. */
export const byPath: Readonly<Record<string, string>> = {
  "model/held/descriptor.ts": "the module itself",
  "model/held/folder.ts": "the module itself",
  "model/held/removal.ts": "the module itself",
  "model/held/quick-removal.ts": "the module itself",
  "model/held/way-below.ts": "the module itself",
  "model/held/shown-names.ts": "the module itself",
  "http/files/attached.ts": "reopens what the module holds, by its descriptor",
  "http/files/listing.ts": "lists what the module holds, by its descriptor; /etc/passwd and /etc/group",
  "fetcher/place.ts": "a sandbox, in the process of the task's user only",
  "fetcher/unpack.ts": "a sandbox, in the process of the task's user only",
  "fetcher/download.ts": "a sandbox, in the process of the task's user; in the agent's, the opened folder of the cache",
  "fetcher/become.ts": "/proc/self",
  "fetcher/cache-folder.ts": "the way to the cache, which it checks",
  "sandbox/sandbox.ts": "the folders above a sandbox, and a new one before its owner has it",
  "sandbox/volume-owner.ts": "the way to a persistent volume, whose folders are the agent's",
  "reservations/reservations.ts": "the way to persistent volumes, whose folders are the agent's",
  "containerizer/mesos/volumes.ts": "whether a host path exists; nothing is opened",
  "containerizer/mesos/runtime-folder.ts": "runtime_dir",
  "containerizer/mesos/terminal.ts": "runtime_dir",
  "containerizer/mesos/ended-watch.ts": "runtime_dir",
  "containerizer/mesos/recovery.ts": "runtime_dir",
  "containerizer/mesos/process-table.ts": "/proc",
  "containerizer/mesos/control-groups.ts": "/sys/fs/cgroup",
  "containerizer/docker/credentials.ts": "the agent's home; the sandbox through the module",
  "containerizer/docker/launch.ts": "an absolute path of a Docker parameter; the sandbox through the module",
  "containerizer/docker/state-files.ts": "work_dir/docker",
  "containerizer/docker/run-inside.ts": "/proc",
  "containerizer/docker/reach.ts": "/proc",
  "containerizer/docker/image-gc-config.ts": "Docker's own folder",
  "gc/collector.ts": "sizes and times of the folders that runs lie in, which are the agent's",
  "gc/left-mounts.ts": "where work_dir is",
  "gc/mounts.ts": "a mount's place, whose mount is checked by its number",
  "gc/removal.ts": "the way to the folders that runs lie in, which are the agent's; nothing is removed by name",
  "checkpoint/private.ts": "work_dir/meta",
  "checkpoint/reader.ts": "work_dir/meta",
  "checkpoint/unwritable.ts": "work_dir/meta",
  "model/files.ts": "work_dir/meta",
  "model/mount-table.ts": "/proc/self",
  "isolators/disk.ts": "where a sandbox is; du(1) walks it by descriptors",
  "isolators/cgroups/control.ts": "/sys/fs/cgroup",
  "isolators/cgroups/delegation.ts": "/sys/fs/cgroup",
  "isolators/cgroups/group.ts": "/sys/fs/cgroup",
  "isolators/cgroups/disk-number.ts": "/dev and /sys",
  "isolators/cgroups/removal.ts": "/sys/fs/cgroup, where there are no links",
  "metrics/machine.ts": "/proc",
  "metrics/pool-watch.ts": "the root folder",
  "resources/machine.ts": "/proc, /sys and the disk of work_dir",
  "resources/disks.ts": "/proc, and the roots of disks that the operator names",
  "address/gather.ts": "/etc/hosts and the like",
  "master/credential-file.ts": "a file that a flag names",
  "master/secret-file.ts": "a file that a flag names",
  "http/static.ts": "the pages of the package",
  "containerizer/docker/open.ts": "Docker's own folder",
  "node.ts": "the kernel's boot id; work_dir/meta",
  "permissions.ts": "files that flags name",
  "neighbours.ts": "/run beside supervisord's socket, which is root's",
  "forwarder-status.ts": "the forwarder's configuration as init wrote it below /run",
  "http/node-page.ts": "the size of the disk of work_dir",
};

const imports = /\bimport\s+(type\s+)?([^"';]*?)\s+from\s+["'](?:node:)?fs(?:\/promises)?["']/g;
const hidden = /\b(?:import|require)\s*\(\s*["'](?:node:)?fs|getBuiltinModule\s*\(\s*["'](?:node:)?fs/;

/** What a file's text takes from node:fs that works on paths; `*` for the whole module. */
export function pathFunctions(text: string): string[] {
  const found: string[] = hidden.test(text) ? ["*"] : [];
  for (const [, isType, clause = ""] of text.matchAll(imports)) {
    if (isType !== undefined) continue;
    const names = /^\{([^}]*)\}$/s.exec(clause.trim())?.[1];
    if (names === undefined) found.push("*");
    for (const part of names?.split(",") ?? []) {
      const name = part.trim();
      if (name === "" || name.startsWith("type ")) continue;
      const exported = name.split(/\s+as\s+/)[0] ?? "";
      if (!BY_DESCRIPTOR.has(exported)) found.push(exported);
    }
  }
  return found;
}

/** Why a file of src/agent may not be as it is; undefined when it may. `file` is relative to src/agent. */
export function violation(file: string, text: string): string | undefined {
  const used = pathFunctions(text);
  const isListed = byPath[file] !== undefined;
  if (used.length > 0 && !isListed) {
    return (
      `src/agent/${file} takes ${used.join(", ")} from node:fs: what a task can change is reached through ` +
      "src/agent/model/held; for anything else add a row to tools/file-access.ts that says what it is"
    );
  }
  return used.length === 0 && isListed ? `tools/file-access.ts: ${file} uses no path; remove its row` : undefined;
}

const agent = resolve(import.meta.dirname, "../src/agent");

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourceFiles(path);
    else if (entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts")) yield path;
  }
}

/** Everything in src/agent that the table does not allow, and rows of files that are not there. */
export function violations(): string[] {
  const files = new Map([...sourceFiles(agent)].map((path) => [relative(agent, path), path]));
  const found = [...files].flatMap(([file, path]) => violation(file, readFileSync(path, "utf8")) ?? []);
  const gone = Object.keys(byPath).filter((file) => !files.has(file));
  return [...found, ...gone.map((file) => `tools/file-access.ts: ${file} is not there; remove its row`)];
}

if (import.meta.main) {
  const found = violations();
  for (const line of found) console.error(line);
  process.exitCode = found.length === 0 ? 0 : 1;
}
