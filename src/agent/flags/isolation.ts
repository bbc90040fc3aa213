import { defineFlags, flag, ignored, refused, renamedFrom } from "../../config/flag.ts";
import { anyObject, boolean, duration, integer, json, list, path, text } from "../../config/kinds.ts";

/** Only a named isolator reads the flag, and --isolation refuses that one already. */
const only = (isolator: string) => ignored(`only the isolator ${isolator} reads it, which does not exist here`);
const WEAKER = "tasks would have more rights than asked for";

/** Isolation by the mesos containerizer. */
export const isolationFlags = defineFlags({
  isolation: flag(list, {
    summary: "Comma separated isolators of the mesos containerizer.",
    default: ["posix/cpu", "posix/mem"],
  }),
  launcher: flag(text, {
    summary: "How processes are started and found again.",
    since: "0.25.0",
    defaultText: "linux with cgroups, else posix",
    status: ignored("there is one launcher, which uses cgroups when an isolator does"),
  }),
  cgroups_hierarchy: flag(path, { summary: "Where cgroups are mounted.", default: "/sys/fs/cgroup" }),
  cgroups_root: flag(text, {
    summary: "Name of the group that holds all containers of this agent. Each agent of a machine needs its own.",
    default: "mesos",
  }),
  cgroups_enable_cfs: flag(boolean, {
    summary: "CPUs are a hard limit (CFS quota), not only a share.",
    default: false,
  }),
  cgroups_limit_swap: flag(boolean, {
    summary: "The memory limit holds for memory and swap together.",
    default: false,
  }),
  cgroups_pids_limit: flag(integer(0, 4_194_304), {
    summary:
      "How many processes and threads a container may have under cgroups/pids, unless it says so itself (the hard RLMT_NPROC of its rlimit_info); 0: no limit.",
    since: "this agent",
    default: 8192,
  }),
  cgroups_io_weight: flag(integer(1, 10_000), {
    summary:
      "Weight of a container's block I/O under cgroups/blkio when disks are busy, among others that have 100 (io.weight; on cgroup v1 blkio.weight).",
    since: "this agent",
  }),
  cgroups_io_max: flag(text, {
    summary:
      "What each container may do with a disk in a second under cgroups/blkio: `/dev/sda rbps=50MB wbps=50MB riops=1000 wiops=1000; 8:16 rbps=10MB` (io.max; on cgroup v1 blkio.throttle).",
    since: "this agent",
  }),
  cgroups_cpu_enable_pids_and_tids_count: flag(boolean, {
    summary: "Report numbers of processes and threads.",
    default: false,
  }),
  cgroups_destroy_timeout: flag(duration, {
    summary: "How long it may take to end everything in a group.",
    since: "1.7.0",
    default: 60_000,
  }),
  cgroups_net_cls_primary_handle: flag(text, {
    summary: "Primary traffic class.",
    since: "0.28.0",
    status: only("cgroups/net_cls"),
  }),
  cgroups_net_cls_secondary_handles: flag(text, {
    summary: "Secondary traffic classes.",
    since: "0.28.0",
    status: only("cgroups/net_cls"),
  }),
  allowed_devices: flag(json(anyObject), {
    summary: "Devices that containers may use besides the usual ones.",
    since: "1.3.0",
    status: only("cgroups/devices"),
  }),
  agent_subsystems: flag(text, {
    summary: "Cgroup subsystems that the agent itself moves into.",
    since: "1.0.0",
    aliases: renamedFrom("slave_subsystems"),
    status: ignored("the agent stays in the group that it was started in"),
  }),
  perf_events: flag(text, { summary: "Events to count.", status: only("cgroups/perf_event") }),
  perf_interval: flag(duration, { summary: "How often.", default: 60_000, status: only("cgroups/perf_event") }),
  perf_duration: flag(duration, { summary: "For how long.", default: 10_000, status: only("cgroups/perf_event") }),
  revocable_cpu_low_priority: flag(boolean, {
    summary: "Tasks on revocable CPUs get a low share.",
    default: true,
    status: ignored("nothing is oversubscribed"),
  }),
  systemd_enable_support: flag(boolean, {
    summary: "Move executors into a slice of systemd's.",
    since: "0.28.0",
    default: true,
    status: ignored("in a container there is no systemd; outside, use KillMode=process"),
  }),
  systemd_runtime_directory: flag(path, {
    summary: "Where systemd's unit is written.",
    since: "0.25.0",
    default: "/run/systemd/system",
    status: ignored("no slice is made"),
  }),
  effective_capabilities: flag(json(anyObject), {
    summary: "Linux capabilities of tasks.",
    since: "1.4.0",
    aliases: renamedFrom("allowed_capabilities"),
    status: refused(`capabilities are not dropped: ${WEAKER}`),
  }),
  bounding_capabilities: flag(json(anyObject), {
    summary: "Largest set of Linux capabilities of tasks.",
    since: "1.4.0",
    status: refused(`capabilities are not dropped: ${WEAKER}`),
  }),
  disallow_sharing_agent_ipc_namespace: flag(boolean, {
    summary: "Refuse containers that share the agent's IPC namespace.",
    since: "1.9.0",
    default: false,
    status: refused("the mesos containerizer makes no IPC namespaces"),
  }),
  disallow_sharing_agent_pid_namespace: flag(boolean, {
    summary: "Refuse containers that share the agent's pid namespace.",
    since: "1.4.0",
    default: false,
    status: refused("the mesos containerizer makes no pid namespaces"),
  }),
  host_path_volume_force_creation: flag(text, {
    summary: "Folders below which missing host paths of volumes are made.",
    since: "1.8.0",
    status: only("volume/host_path"),
  }),
  xfs_project_range: flag(text, {
    summary: "XFS project ids.",
    since: "1.0.0",
    default: "[5000-10000]",
    status: only("disk/xfs"),
  }),
  xfs_kill_containers: flag(boolean, {
    summary: "End containers over their XFS quota.",
    since: "1.6.0",
    default: false,
    status: only("disk/xfs"),
  }),
  xfs_quota_headroom: flag(text, {
    summary: "Room above the XFS quota.",
    since: "1.12.0",
    default: "10MB",
    status: only("disk/xfs"),
  }),
  seccomp_config_dir: flag(path, { summary: "Seccomp profiles.", since: "1.8.0", status: only("linux/seccomp") }),
  seccomp_profile_name: flag(text, { summary: "The default one.", since: "1.8.0", status: only("linux/seccomp") }),
});

/** Networks of the mesos containerizer. */
export const networkFlags = defineFlags({
  network_cni_plugins_dir: flag(text, { summary: "CNI plug-ins.", since: "1.0.0", status: only("network/cni") }),
  network_cni_config_dir: flag(path, { summary: "CNI networks.", since: "1.0.0", status: only("network/cni") }),
  network_cni_root_dir_persist: flag(boolean, {
    summary: "Keep CNI's state across reboots.",
    since: "1.8.0",
    default: false,
    status: only("network/cni"),
  }),
  network_cni_metrics: flag(boolean, {
    summary: "Network statistics of containers.",
    since: "1.7.0",
    default: true,
    status: only("network/cni"),
  }),
  container_ports_watch_interval: flag(duration, {
    summary: "How often used ports are looked at.",
    since: "1.5.0",
    default: 30_000,
    status: only("network/ports"),
  }),
  check_agent_port_range_only: flag(boolean, {
    summary: "Only look at offered ports.",
    since: "1.5.0",
    default: false,
    status: only("network/ports"),
  }),
  enforce_container_ports: flag(boolean, {
    summary: "End containers that listen on other ports.",
    since: "1.7.0",
    default: false,
    status: only("network/ports"),
  }),
  container_ports_isolated_range: flag(text, {
    summary: "Ports to look at.",
    since: "1.8.0",
    status: only("network/ports"),
  }),
  ephemeral_ports_per_container: flag(integer(0, 65_535), {
    summary: "Ephemeral ports of each container.",
    default: 1024,
    status: only("network/port_mapping"),
  }),
});
