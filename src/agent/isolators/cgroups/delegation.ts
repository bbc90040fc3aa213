import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import type { Controller } from "./hierarchy.ts";

/** What is done with the files of groups; paths are absolute. Errors have the kernel's codes. */
export interface GroupFiles {
  readonly has: (path: string) => boolean;
  readonly read: (path: string) => string;
  readonly write: (path: string, text: string) => void;
  readonly make: (folder: string) => void;
}

const kernelFiles: GroupFiles = {
  has: existsSync,
  read: (path) => readFileSync(path, "utf8"),
  write: (path, text) => writeFileSync(path, text),
  make: (folder) => void mkdirSync(folder, { recursive: true }),
};

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** Processes that are born while others are moved are moved in a later pass. */
const MOST_PASSES = 20;

/**
 * Hands `controllers` of a v2 hierarchy down from `mount` to the groups in `own`, which lies below it and exists. Returns those
 * that cannot be had there, each with its error.
 *
 * No controller is handed down by a group with processes in it, unless it is the machine's top group (which has no
 * cgroup.type). The kernel refuses that for `memory`, but not for the threaded ones (`cpu`, `pids`): such a group silently
 * becomes `domain threaded`, and no domain controller works below it any more. So the processes of a populated group
 * move one level down first: in a container with a cgroup namespace of its own, in a subtree or a systemd unit that
 * was delegated.
 */
export function handDown(
  mount: string,
  own: string,
  controllers: readonly Controller[],
  files: GroupFiles = kernelFiles,
): ReadonlyMap<Controller, UserError> {
  const lacking = new Map<Controller, UserError>();
  for (let folder = mount, below = chainOf(mount, own); ; ) {
    const wanted = controllers.filter((controller) => !lacking.has(controller));
    const problem = handDownIn(folder, below[0], wanted, files);
    for (const controller of problem.controllers) lacking.set(controller, problem.error(controller));
    const next = below.shift();
    if (next === undefined) return lacking;
    folder = next;
  }
}

/** The groups from the one below `mount` to `own`. */
function chainOf(mount: string, own: string): string[] {
  const chain: string[] = [];
  for (let folder = own; folder !== mount && folder !== dirname(folder); folder = dirname(folder))
    chain.unshift(folder);
  return chain;
}

interface Problem {
  readonly controllers: readonly Controller[];
  readonly error: (controller: Controller) => UserError;
}

const noProblem: Problem = { controllers: [], error: (controller) => new UserError(controller) };

function handDownIn(
  folder: string,
  next: string | undefined,
  wanted: readonly Controller[],
  files: GroupFiles,
): Problem {
  const control = join(folder, "cgroup.subtree_control");
  const needed = wanted.filter((controller) => !words(files.read(control)).includes(controller));
  if (needed.length === 0) return noProblem;
  const offered = words(files.read(join(folder, "cgroup.controllers")));
  const absent = needed.filter((controller) => !offered.includes(controller));
  if (absent.length > 0) {
    const rest = handDownIn(
      folder,
      next,
      wanted.filter((one) => !absent.includes(one)),
      files,
    );
    const error = (controller: Controller): UserError =>
      absent.includes(controller)
        ? new UserError(
            `the control group '${folder}' does not have the controller '${controller}': the group above it does not hand it down`,
            DELEGATE,
          )
        : rest.error(controller);
    return { controllers: [...absent, ...rest.controllers], error };
  }
  try {
    vacate(folder, next, files);
    for (const controller of needed) files.write(control, `+${controller}`);
    return noProblem;
  } catch (error) {
    return { controllers: needed, error: (controller) => explain(error, control, controller) };
  }
}

const DELEGATE =
  "let it be delegated (systemd: Delegate=yes in the unit of the agent), and name a group below it by --cgroups_root";
const WRITABLE =
  "run the agent as root with writable cgroups (docker run --privileged, or -v /sys/fs/cgroup:/sys/fs/cgroup:rw with --cgroupns=host), or name a group that is delegated to it by --cgroups_root, or choose --isolation=posix/cpu,posix/mem";

function explain(error: unknown, control: string, controller: Controller): UserError {
  if (error instanceof UserError) return error;
  const code = codeOf(error) ?? "";
  const text = `the controller '${controller}' cannot be handed down by writing to '${control}': ${messageOf(error)}`;
  const threaded = "end or move the processes of that group and of those above it, whose cgroup.type says 'threaded'";
  const fix = { ENOTSUP: threaded, EOPNOTSUPP: threaded, EBUSY: threaded, ENOENT: DELEGATE }[code] ?? WRITABLE;
  return new UserError(text, fix, { cause: error });
}

/** Moves every process of a populated group into a leaf below it. */
function vacate(folder: string, next: string | undefined, files: GroupFiles): void {
  if (!files.has(join(folder, "cgroup.type"))) return;
  const processes = (): string[] => words(files.read(join(folder, "cgroup.procs")));
  if (processes().length === 0) return;
  if (next === undefined) {
    throw new UserError(
      `there are processes in the control group '${folder}', which is for containers alone: ${processes().join(", ")}`,
      "end or move them, or choose another --cgroups_root",
    );
  }
  // Populated, and handing something down: it is threaded already, and takes no leaf until it hands down nothing.
  const control = join(folder, "cgroup.subtree_control");
  const handed = words(files.read(control));
  for (const controller of handed) files.write(control, `-${controller}`);
  const leaf = join(folder, basename(next) === "agent" ? "agent-itself" : "agent");
  files.make(leaf);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const pids = processes();
    if (pids.length === 0) {
      for (const controller of handed) files.write(control, `+${controller}`);
      return;
    }
    for (const pid of pids) move(pid, leaf, files);
  }
  throw new UserError(
    `the processes in the control group '${folder}' cannot be moved to '${leaf}': ${processes().join(", ")}`,
    "end them, or give --cgroups_root a group without processes of others",
  );
}

function move(pid: string, leaf: string, files: GroupFiles): void {
  // A process of another pid namespace: 0 would mean ourselves.
  if (pid === "0") return;
  try {
    files.write(join(leaf, "cgroup.procs"), pid);
  } catch (error) {
    // It ended meanwhile.
    if (codeOf(error) !== "ESRCH")
      throw new UserError(`process ${pid} cannot be moved to '${leaf}': ${messageOf(error)}`, WRITABLE, {
        cause: error,
      });
  }
}
