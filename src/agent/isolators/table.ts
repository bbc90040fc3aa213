import { type FlagStatus, ignored, refused } from "../../config/flag.ts";
import type { Isolator } from "../model/isolation.ts";
import { openGroupControl } from "./cgroups/open.ts";
import type { IsolationContext } from "./context.ts";
import { openDiskWatch } from "./disk.ts";

/** An isolator that Mesos 0.24 to 1.11 has, and what naming it in --isolation does here. */
export interface IsolatorRow {
  readonly status: FlagStatus;
  /** It stands for these. */
  readonly means?: readonly string[];
  /** Not together with that one. */
  readonly excludes?: string;
  /** The limit of a task that is held by it. */
  readonly enforces?: "cpus" | "mem";
  /**
   * Throws a UserError when it cannot be had. Rows with the same function are opened once, by all their names; absent: it
   * names what happens anyway.
   */
  readonly open?: (context: IsolationContext, names: ReadonlySet<string>) => Isolator;
}

const supported: FlagStatus = { kind: "supported" };
const missing = (what: string): IsolatorRow => ({ status: refused(`${what} is not implemented`) });

/** A new isolator is a file of its own and a row here: --isolation, its check, its docs and what runs are made from this. */
export const isolators: Readonly<Record<string, IsolatorRow>> = {
  "posix/cpu": { status: supported, excludes: "cgroups/cpu" },
  "posix/mem": { status: supported, excludes: "cgroups/mem" },
  "posix/disk": { status: supported, open: openDiskWatch },
  "posix/rlimits": { status: supported },
  process: { status: supported, means: ["posix/cpu", "posix/mem"] },
  cgroups: { status: supported, means: ["cgroups/cpu", "cgroups/mem"] },
  "disk/du": { status: supported, open: openDiskWatch },
  "cgroups/cpu": { status: supported, enforces: "cpus", open: openGroupControl },
  "cgroups/mem": { status: supported, enforces: "mem", open: openGroupControl },
  "cgroups/pids": { status: supported, open: openGroupControl },
  "cgroups/blkio": { status: supported, open: openGroupControl },
  "cgroups/io": { status: supported, means: ["cgroups/blkio"] },
  "filesystem/posix": { status: supported },
  "cgroups/cpuset": { status: ignored("CPUs are shared by weight") },
  "cgroups/hugetlb": { status: ignored("nothing is limited by it") },
  environment_secret: missing("resolving secrets"),
  "volume/secret": missing("resolving secrets"),
  "cgroups/all": { status: refused("name the isolators: cgroups/cpu,cgroups/mem,cgroups/pids,cgroups/blkio") },
  "cgroups/devices": missing("device control"),
  "cgroups/net_cls": missing("traffic classes"),
  "cgroups/perf_event": missing("counting of performance events"),
  "disk/xfs": missing("XFS project quota"),
  "docker/runtime": missing("running images by the mesos containerizer"),
  "docker/volume": missing("volume drivers in the mesos containerizer"),
  "appc/runtime": missing("running images by the mesos containerizer"),
  "filesystem/linux": missing("a file system per container"),
  "filesystem/shared": missing("a file system per container"),
  "volume/host_path": missing("a file system per container"),
  "volume/image": missing("a file system per container"),
  "volume/sandbox_path": missing("a file system per container"),
  "volume/csi": missing("CSI"),
  "gpu/nvidia": missing("offering GPUs"),
  "linux/capabilities": missing("dropping capabilities"),
  "linux/devices": missing("device control"),
  "linux/nnp": missing("no-new-privileges"),
  "linux/seccomp": missing("seccomp"),
  "namespaces/cgroup": { status: supported, open: openGroupControl },
  "namespaces/ipc": missing("an IPC namespace per container"),
  "namespaces/pid": missing("a pid namespace per container"),
  "network/cni": missing("CNI"),
  "network/port_mapping": missing("port mapping"),
  "network/ports": missing("watching of ports"),
};
