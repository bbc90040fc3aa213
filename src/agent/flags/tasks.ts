import { defineFlags, flag, hideJsonValues, ignored, misspeltAs, refused, renamedFrom } from "../../config/flag.ts";
import { boolean, bytes, duration, integer, json, path, stringMap, text } from "../../config/kinds.ts";

const NO_HELPERS = "this agent is one program and needs no helper binaries";

/** How tasks and executors are run. */
export const taskFlags = defineFlags({
  switch_user: flag(boolean, {
    summary: "Run tasks as the user that they or their framework name; needs root. If not, as the agent's user.",
    default: true,
  }),
  frameworks_home: flag(text, { summary: "Folder that relative URIs of tasks begin in.", default: "" }),
  executor_environment_variables: flag(json(stringMap), {
    summary: "JSON object with the environment that executors and tasks get instead of the agent's own.",
    mask: hideJsonValues,
  }),
  executor_registration_timeout: flag(duration, {
    summary: "How long an executor may take from its launch, image pull and fetching included, until it registers.",
    default: 60_000,
    aliases: misspeltAs("registration_timeout"),
  }),
  executor_reregistration_timeout: flag(duration, {
    summary: "How long executors have to come back after a restart of the agent. At most 15secs.",
    since: "1.4.0",
    default: 2_000,
  }),
  executor_reregistration_retry_interval: flag(duration, {
    summary: "During that time, ask executors again this often.",
    since: "1.4.0",
  }),
  executor_shutdown_grace_period: flag(duration, {
    summary: "How long an executor has to end by itself.",
    default: 5_000,
  }),
  max_completed_executors_per_framework: flag(integer(0, 100_000), {
    summary: "How many finished executors of a framework are remembered.",
    since: "1.1.0",
    default: 150,
  }),
  http_command_executor: flag(boolean, {
    summary: "Which command executor to use.",
    since: "1.0.0",
    default: false,
    status: ignored("command tasks need no executor process"),
  }),
  launcher_dir: flag(path, {
    summary: "Folder of Mesos' helper binaries.",
    defaultText: "that of the build",
    status: ignored(NO_HELPERS),
  }),
  volume_gid_range: flag(text, {
    summary: "Group ids for shared volumes.",
    since: "1.8.0",
    status: refused("the ownership of shared volumes is not managed: tasks of other users could not write them"),
  }),
  http_executor_domain_sockets: flag(boolean, {
    summary: "Executors reach the agent by a Unix socket.",
    since: "1.10.0",
    default: false,
    status: ignored("executors are told the agent's address and port"),
  }),
  domain_socket_location: flag(path, {
    summary: "Path of that socket.",
    since: "1.10.0",
    status: ignored("executors are told the agent's address and port"),
  }),
});

/** Fetching what tasks name in their URIs. */
export const fetcherFlags = defineFlags({
  fetcher_cache_dir: flag(path, {
    summary: "Folder of the fetcher's cache; emptied at start.",
    default: "/tmp/mesos/fetch",
  }),
  fetcher_cache_size: flag(bytes, { summary: "Largest size of the fetcher's cache.", default: 2 * 1024 ** 3 }),
  fetcher_stall_timeout: flag(duration, {
    summary: "A download that brings less than a byte a second for this long is given up.",
    since: "1.6.0",
    default: 60_000,
  }),
  hadoop_home: flag(text, {
    summary: "Folder of a Hadoop client, for hdfs:// and the like; else HADOOP_HOME, else `hadoop` on the PATH.",
    default: "",
  }),
});

const SANDBOX_DIRECTORY = "/mnt/mesos/sandbox";

/** Where a sandbox appears inside a container that has a file system of its own. */
export const sandboxFlags = defineFlags({
  sandbox_directory: flag(text, {
    summary: "Where the sandbox appears inside a container with a file system of its own.",
    default: SANDBOX_DIRECTORY,
    aliases: renamedFrom("docker_sandbox_directory"),
  }),
  container_disk_watch_interval: flag(duration, {
    summary: "How often the disk usage of containers is measured.",
    default: 15_000,
  }),
  enforce_container_disk_quota: flag(boolean, {
    summary:
      "End containers that use more than their disk: the sandbox, and in Docker the container's own layer, too. Without Docker it needs the isolator disk/du.",
    default: false,
  }),
  sandbox_log_max_size: flag(bytes, {
    summary: "Size at which stdout and stderr of a sandbox are put aside; 0B: never.",
    since: "this agent",
    default: 0,
  }),
  sandbox_log_keep: flag(integer(0, 100), {
    summary: "How many old files of each are kept then: stdout.1 is the newest.",
    since: "this agent",
    default: 5,
  }),
  container_logger: flag(text, {
    summary: "Module that takes the output of containers.",
    since: "0.27.0",
    status: refused("modules are C++ libraries; output goes to stdout and stderr in the sandbox"),
  }),
});
