import { UserError } from "../../base/errors.ts";

/** What `--isolation` asks for, once aliases and contradictions are settled. */
export interface Selection {
  /** Limits and figures from control groups; otherwise figures from the process tree. */
  readonly cpu: "posix" | "cgroups";
  readonly mem: "posix" | "cgroups";
  /** Every process of the container counted in a group of its own. */
  readonly pids: boolean;
  /** The sandbox is measured, and with --enforce_container_disk_quota limited. */
  readonly disk: boolean;
}

const ALIASES: Readonly<Record<string, readonly string[]>> = {
  process: ["posix/cpu", "posix/mem"],
  cgroups: ["cgroups/cpu", "cgroups/mem"],
};
/** Named without an effect of their own: they say what happens anyway, or only place the process into a group. */
const SILENT = new Set(["filesystem/posix", "posix/rlimits", "cgroups/cpuset", "cgroups/hugetlb"]);

/** Throws a UserError for isolators that contradict each other or that nobody knows. The order does not matter. */
export function selectIsolators(names: readonly string[]): Selection {
  const wanted = new Set(names.flatMap((name) => ALIASES[name] ?? [name]));
  for (const kind of ["cpu", "mem"]) {
    if (wanted.has(`posix/${kind}`) && wanted.has(`cgroups/${kind}`)) {
      throw new UserError(`--isolation names both posix/${kind} and cgroups/${kind}`, "name one of them");
    }
  }
  const selection: Selection = {
    cpu: wanted.has("cgroups/cpu") ? "cgroups" : "posix",
    mem: wanted.has("cgroups/mem") ? "cgroups" : "posix",
    pids: wanted.has("cgroups/pids"),
    disk: wanted.has("posix/disk") || wanted.has("disk/du"),
  };
  const known = ["posix/cpu", "posix/mem", "cgroups/cpu", "cgroups/mem", "cgroups/pids", "posix/disk", "disk/du"];
  for (const name of wanted) {
    if (!known.includes(name) && !SILENT.has(name)) throw new UserError(`Unknown or unsupported isolator: ${name}`);
  }
  return selection;
}
