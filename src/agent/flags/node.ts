import { defineFlags, flag, ignored, misspeltAs, refused } from "../../config/flag.ts";
import { boolean, decimal, duration, oneOf, path, text } from "../../config/kinds.ts";

/** What this node offers. */
export const resourceFlags = defineFlags({
  resources: flag(text, {
    summary:
      "What to offer: `name(role):value;…` or a JSON array of Resource. Of cpus, mem, disk and ports, what is not given is detected.",
  }),
  attributes: flag(text, { summary: "Attributes of this node: `rack:2;zone:a`." }),
  default_role: flag(text, { summary: "Role of resources that name none, detected ones included.", default: "*" }),
  detect_host_resources: flag(boolean, {
    summary:
      "Offer the machine's CPUs and memory although this agent's own container is limited to less. Tasks that run as " +
      "Docker containers beside it are not held by its limits; other tasks are.",
    since: "this agent",
    default: false,
  }),
  resource_provider_config_dir: flag(path, {
    summary: "Folder of configurations of local resource providers.",
    since: "1.4.0",
    status: refused("resource providers are not implemented, and their volumes would be missing from the offers"),
  }),
  csi_plugin_config_dir: flag(path, {
    summary: "Folder of CSI plug-in configurations.",
    since: "1.11.0",
    status: refused("CSI volumes are not implemented"),
  }),
  disk_profile_adaptor: flag(text, {
    summary: "Module that translates storage profiles.",
    since: "1.5.0",
    status: refused("modules are C++ libraries"),
  }),
  nvidia_gpu_devices: flag(text, {
    summary: "Indices of the GPUs to offer.",
    since: "1.0.0",
    status: refused("GPUs are not offered"),
  }),
  resource_estimator: flag(text, {
    summary: "Module that estimates resources which can be offered a second time.",
    status: refused("modules are C++ libraries; nothing is oversubscribed"),
  }),
  qos_controller: flag(text, {
    summary: "Module that ends tasks on oversubscribed resources.",
    status: refused("modules are C++ libraries; nothing is oversubscribed"),
  }),
  qos_correction_interval_min: flag(duration, {
    summary: "Smallest gap between two corrections.",
    default: 0,
    status: ignored("nothing is oversubscribed"),
  }),
  oversubscribed_resources_interval: flag(duration, {
    summary: "How often oversubscribed resources are told to the master.",
    default: 15_000,
    status: ignored("nothing is oversubscribed"),
  }),
});

/** Where things lie, what a restart does, and what is cleaned up. */
export const stateFlags = defineFlags({
  work_dir: flag(path, {
    summary:
      "Folder of sandboxes and of the agent's own state, in Mesos' layout. It should survive a reboot, and have the " +
      "same path inside and outside of this agent's container.",
    default: "/tmp/mesos",
    aliases: misspeltAs("workdir"),
  }),
  runtime_dir: flag(path, {
    summary: "Folder for what must not survive a reboot.",
    since: "1.1.0",
    default: "/var/run/mesos",
  }),
  recover: flag(oneOf("reconnect", "cleanup"), {
    summary: "`reconnect` picks running tasks up after a restart; `cleanup` ends them and exits.",
    default: "reconnect",
  }),
  recovery_timeout: flag(duration, {
    summary: "How long executors wait for an agent that went away.",
    default: 15 * 60_000,
  }),
  strict: flag(boolean, {
    summary: "A damaged checkpoint ends the start; if not, what it held is left behind and counted.",
    default: true,
  }),
  reconfiguration_policy: flag(oneOf("equal", "additive"), {
    summary: "Which changes of resources, attributes and so on a restart may bring: none, or additions only.",
    since: "1.5.0",
    default: "equal",
  }),
  gc_delay: flag(duration, {
    summary: "Longest age of a finished sandbox; less when the disk fills.",
    default: 604_800_000,
  }),
  gc_disk_headroom: flag(decimal(0, 1), {
    summary: "Share of the disk to keep free: sandboxes are kept for gc_delay × max(0, 1 − headroom − usage).",
    default: 0.1,
  }),
  gc_non_executor_container_sandboxes: flag(boolean, {
    summary:
      "Also clean up sandboxes of standalone containers, after gc_delay. Those of nested containers lie in their executor's and go with it, or with REMOVE_CONTAINER.",
    since: "1.7.0",
    default: false,
  }),
  gc_dry_run: flag(boolean, {
    summary: "Only say in the log what would be cleaned up.",
    since: "this agent",
    default: false,
  }),
  disk_watch_interval: flag(duration, { summary: "How often the disk's usage is looked at.", default: 60_000 }),
  resource_monitoring_interval: flag(duration, {
    summary: "How often executors were measured.",
    default: 1_000,
    until: "0.25.0",
    status: ignored("Mesos 0.24 did not use it either"),
  }),
});
