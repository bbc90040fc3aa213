/**
 * Every metric of the agent: what is exported, docs/metrics.md and the Prometheus help are made from these tables. Names
 * are Mesos' own (mesos-agent-behaviour §9.7).
 */
export interface MetricRow {
  readonly summary: string;
  /** The Mesos release that brought it, when later than 0.24; `this agent` for our own. */
  readonly since?: string;
}

const row = (summary: string, since?: string): MetricRow => (since === undefined ? { summary } : { summary, since });

/** Go up, from 0 at each start. */
export const counters = {
  "slave/recovery_errors": row("Checkpoints that could not be read at recovery."),
  "slave/tasks_finished": row("Tasks that ended well."),
  "slave/tasks_failed": row("Tasks that failed."),
  "slave/tasks_killed": row("Tasks that were killed."),
  "slave/tasks_lost": row("Tasks that were lost."),
  "slave/tasks_gone": row("Tasks that are gone.", "1.1"),
  "slave/executors_terminated": row("Executors that have ended."),
  "slave/executors_preempted": row("Executors that were ended for oversubscribed resources."),
  "slave/valid_status_updates": row("Status updates that were accepted."),
  "slave/invalid_status_updates": row("Status updates that were refused."),
  "slave/valid_framework_messages": row("Framework messages that were passed on."),
  "slave/invalid_framework_messages": row("Framework messages that were refused."),
  "slave/container_launch_errors": row("Containers that could not be launched."),
  "containerizer/mesos/container_destroy_errors": row("Containers that could not be ended."),
  "containerizer/docker/calls_failed": row("Calls to the Docker Engine that failed or timed out.", "this agent"),
  "containerizer/fetcher/task_fetches_succeeded": row("Fetches for tasks that succeeded.", "1.3"),
  "containerizer/fetcher/task_fetches_failed": row("Fetches for tasks that failed.", "1.3"),
  "containerizer/mesos/provisioner/remove_container_errors": row(
    "Root file systems that could not be removed: 0, as there are none.",
    "0.26",
  ),
  "containerizer/mesos/provisioner/bind/remove_rootfs_errors": row(
    "Bound root file systems that could not be removed: 0, as there are none.",
    "0.26",
  ),
  "resource_provider_manager/events/subscribe": row("Resource providers that subscribed: 0, as none can.", "1.8"),
  "resource_provider_manager/events/disconnect": row("Resource providers that left: 0, as none can come.", "1.8"),
  "gc/path_removals_succeeded": row("Folders that were cleaned up.", "1.7"),
  "gc/path_removals_failed": row("Folders that could not be cleaned up.", "1.7"),
  "slave/requests_unauthenticated": row("Requests without the password or token that they needed.", "this agent"),
  "slave/requests_forbidden": row("Requests that the rules of --acls, or a token, did not allow.", "this agent"),
};

/** Milliseconds of the last one, and statistics over the last hour. */
const timers = {
  "containerizer/docker/image_pull_ms": row("Milliseconds that image pulls took.", "1.5"),
};

export const measuredResources = ["cpus", "gpus", "mem", "disk"] as const;
type ResourceSuffix = "total" | "used" | "percent" | "revocable_total" | "revocable_used" | "revocable_percent";
export type ResourceMetric = `slave/${(typeof measuredResources)[number]}_${ResourceSuffix}`;

const SUFFIXES: Readonly<Record<ResourceSuffix, string>> = {
  total: "offered",
  used: "used by executors and tasks",
  percent: "used, as a share from 0 to 1",
  revocable_total: "offered a second time",
  revocable_used: "used of what is offered a second time",
  revocable_percent: "used of it, as a share from 0 to 1",
};

const ofResources = Object.fromEntries(
  measuredResources.flatMap((name) =>
    Object.entries(SUFFIXES).map(([suffix, text]) => [
      `slave/${name}_${suffix}`,
      row(`${name}: ${text}.`, name === "gpus" ? "1.0" : undefined),
    ]),
  ),
) as Readonly<Record<ResourceMetric, MetricRow>>;

const PRESSED = { cpu: "a CPU", mem: "memory", io: "its disks" } as const;
const EVENTS = {
  low: "Times that containers lost memory which they were promised.",
  high: "Times that containers were slowed down for want of memory.",
  max: "Times that containers came up to their memory limit.",
  oom: "Times that containers were out of memory.",
  oom_kill: "Processes that the kernel killed for want of memory.",
} as const;
type Stalled = `${keyof typeof PRESSED}_pressure_${"some" | "full"}_${"avg10" | "secs"}`;
type GroupMetric = `containerizer/mesos/cgroups/${Stalled | `mem_events_${keyof typeof EVENTS}`}`;

/** On cgroup v2, of all containers of the mesos containerizer together. */
const ofGroups = Object.fromEntries(
  [
    ...Object.entries(PRESSED).flatMap(([name, what]) =>
      Object.entries({ some: "some process of a container", full: "all processes of the containers" }).flatMap(
        ([kind, who]) => [
          [`${name}_pressure_${kind}_avg10`, `Percent of the last 10 seconds that ${who} waited for ${what}.`],
          [`${name}_pressure_${kind}_secs`, `Seconds that ${who} waited for ${what}.`],
        ],
      ),
    ),
    ...Object.entries(EVENTS).map(([name, what]) => [`mem_events_${name}`, what]),
  ].map(([name, what]) => [`containerizer/mesos/cgroups/${name}`, row(`${what} Cgroup v2.`, "this agent")]),
) as Readonly<Record<GroupMetric, MetricRow>>;

/** As it is now. */
const gauges = {
  "slave/uptime_secs": row("Seconds since the agent started."),
  "slave/registered": row("1 while registered with a master."),
  "slave/recovery_time_secs": row("Seconds that recovery took; absent until it is done.", "1.0"),
  "slave/frameworks_active": row("Frameworks with something to do here."),
  "slave/tasks_staging": row("Tasks that no executor has started yet."),
  "slave/tasks_starting": row("Tasks in TASK_STARTING."),
  "slave/tasks_running": row("Tasks in TASK_RUNNING."),
  "slave/tasks_killing": row("Tasks in TASK_KILLING.", "1.0"),
  "slave/executors_registering": row("Executors that have not registered yet."),
  "slave/executors_running": row("Executors that run."),
  "slave/executors_terminating": row("Executors that were asked to end."),
  "slave/executor_directory_max_allowed_age_secs": row("Age at which sandboxes are removed, as the disk is now."),
  "containerizer/docker/available": row("1 while the Docker Engine answers.", "this agent"),
  "containerizer/fetcher/cache_size_total_bytes": row("Size that the fetcher's cache may have.", "1.3"),
  "containerizer/fetcher/cache_size_used_bytes": row("Size of the fetcher's cache.", "1.3"),
  "resource_provider_manager/subscribed": row("Resource providers that are subscribed: 0, as none can.", "1.6"),
  "gc/path_removals_pending": row("Folders that wait for their clean-up.", "1.7"),
  "slave/status_updates_pending": row("Status updates that no scheduler has acknowledged yet.", "this agent"),
  "libprocess/connections": row("Open connections to the agent's port.", "this agent"),
  "libprocess/incomplete_bytes": row("Bytes of messages that have not arrived completely.", "this agent"),
  "libprocess/waiting_requests": row("Requests that wait for others of their connection.", "this agent"),
  "process/resident_bytes": row("Memory of the agent's process.", "this agent"),
  "process/cpu_secs": row("CPU time of the agent's process.", "this agent"),
  "process/event_loop_delay_ms": row("99th percentile of the event loop's delay since the last reading.", "this agent"),
  "system/load_1min": row("Load average of a minute."),
  "system/load_5min": row("Load average of 5 minutes."),
  "system/load_15min": row("Load average of 15 minutes."),
  "system/cpus_total": row("Logical CPUs of the machine."),
  "system/mem_total_bytes": row("Memory of the machine."),
  "system/mem_free_bytes": row("Free memory of the machine."),
  ...ofResources,
  ...ofGroups,
};

/**
 * Figures of the machine and of the agent's own process, which tell nothing of anybody's work. Somebody who may not see all
 * work sees these, and what is counted anew of what he may see; whatever is not named here he does not.
 */
export const nodeMetrics: ReadonlySet<string> = new Set<GaugeName>([
  "slave/uptime_secs",
  "slave/registered",
  "slave/recovery_time_secs",
  "containerizer/docker/available",
  "containerizer/fetcher/cache_size_total_bytes",
  "libprocess/connections",
  "process/resident_bytes",
  "process/cpu_secs",
  "process/event_loop_delay_ms",
  "system/load_1min",
  "system/load_5min",
  "system/load_15min",
  "system/cpus_total",
  "system/mem_total_bytes",
  "system/mem_free_bytes",
]);

export type CounterName = keyof typeof counters;
export type GaugeName = keyof typeof gauges;
export type TimerName = keyof typeof timers;

export type MetricKind = "counter" | "gauge" | "timer";

/** All of them by name, sorted. */
export function allMetrics(): ReadonlyMap<string, MetricRow & { readonly kind: MetricKind }> {
  const rows = (table: Readonly<Record<string, MetricRow>>, kind: MetricKind) =>
    Object.entries(table).map(([name, each]) => [name, { ...each, kind }] as const);
  const all = [...rows(counters, "counter"), ...rows(gauges, "gauge"), ...rows(timers, "timer")];
  return new Map(all.sort(([left], [right]) => (left < right ? -1 : 1)));
}
