import type { FlagStatus } from "../../config/flag.ts";
import { ignored, refused } from "../../config/flag.ts";

const supported: FlagStatus = { kind: "supported" };
const missing = (what: string): FlagStatus => refused(`${what} is not implemented`);

/** Every isolator that Mesos 0.24 to 1.11 has, and what naming it in --isolation does here. */
export const isolators: Readonly<Record<string, FlagStatus>> = {
  "posix/cpu": supported,
  "posix/mem": supported,
  "posix/disk": supported,
  "posix/rlimits": supported,
  process: supported,
  cgroups: supported,
  "disk/du": supported,
  "cgroups/cpu": supported,
  "cgroups/mem": supported,
  "cgroups/pids": supported,
  "filesystem/posix": supported,
  "cgroups/cpuset": ignored("CPUs are shared by weight"),
  "cgroups/hugetlb": ignored("nothing is limited by it"),
  environment_secret: missing("resolving secrets"),
  "volume/secret": missing("resolving secrets"),
  "cgroups/all": refused("name the isolators: cgroups/cpu,cgroups/mem,cgroups/pids"),
  "cgroups/blkio": missing("block I/O accounting"),
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
  "namespaces/ipc": missing("an IPC namespace per container"),
  "namespaces/pid": missing("a pid namespace per container"),
  "network/cni": missing("CNI"),
  "network/port_mapping": missing("port mapping"),
  "network/ports": missing("watching of ports"),
};
