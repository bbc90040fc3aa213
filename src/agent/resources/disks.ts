import { mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, UserError } from "../../base/errors.ts";
import { pathOf } from "../../base/file-names.ts";
import { type Resource, Resource_DiskInfo_Source_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseMountInfo } from "../model/mount-table.ts";

const { MOUNT, PATH } = Resource_DiskInfo_Source_Type;

/** What is asked of the machine about disks. */
export interface DiskMachine {
  /** Resolves links. Throws when there is nothing. */
  readonly realPath: (path: string) => string;
  /** Makes a folder and those above it, and throws when something else is there. */
  readonly makeFolder: (path: string) => void;
  /** Where something is mounted: real paths. */
  readonly mounts: () => ReadonlySet<string>;
}

export const diskMachine: DiskMachine = {
  realPath: realpathSync,
  makeFolder: (path) => {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    if (!statSync(path).isDirectory()) throw new Error("it is no folder");
  },
  mounts: () => new Set(parseMountInfo(pathOf(readFileSync("/proc/self/mountinfo"))).map(({ path }) => path)),
};

/**
 * Holds the disks that an operator names against the machine, as C++ agents do: the root of a PATH disk is made, that of a
 * MOUNT disk must be mounted. After a mount that failed at boot its volumes would lie on another disk, and to destroy one
 * would empty somebody else's folder. Relative roots are relative to `workDir`. Throws a UserError that names the disk.
 */
export function holdDisks(resources: readonly Resource[], workDir: string, machine: DiskMachine = diskMachine): void {
  const used = new Set<string>();
  for (const { disk } of resources) {
    const source = disk?.source;
    if (source === undefined) continue;
    if (source.type === PATH) makeRoot(source.path?.root, workDir, machine);
    if (source.type !== MOUNT) continue;
    const root = mountedRoot(source.mount?.root, workDir, machine);
    if (used.has(root))
      throw new UserError(
        `--resources: two MOUNT disks have the root '${root}'`,
        "a MOUNT disk is one volume, as a whole",
      );
    used.add(root);
  }
}

function makeRoot(root: string | undefined, workDir: string, machine: DiskMachine): void {
  if (!root) throw new UserError("--resources: a PATH disk has no root");
  const path = resolve(workDir, root);
  try {
    machine.makeFolder(path);
  } catch (error) {
    throw new UserError(`--resources: cannot make the root '${path}' of a PATH disk: ${messageOf(error)}`);
  }
}

/**
 * The real path of a MOUNT disk's root. Throws a UserError when nothing is mounted there.
 */
export function mountedRoot(root: string | undefined, workDir: string, machine: DiskMachine = diskMachine): string {
  if (!root) throw new UserError("--resources: a MOUNT disk has no root");
  const path = resolve(workDir, root);
  const advice = "mount it (see /proc/self/mountinfo), or take the disk out of --resources";
  let real: string;
  try {
    real = machine.realPath(path);
  } catch (error) {
    throw new UserError(`the root '${path}' of a MOUNT disk cannot be had: ${messageOf(error)}`, advice);
  }
  if (!machine.mounts().has(real))
    throw new UserError(`nothing is mounted at '${real}', the root of a MOUNT disk`, advice);
  return real;
}
