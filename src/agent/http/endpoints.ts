import { type Asks, nothing, ofFile, refuses, shows } from "../authorization/actions.ts";

/**
 * Every page of the agent: routes, their aliases, who may see them, and docs/endpoints.md are made from this table.
 * Paths of `slave(1)` are served with and without that prefix.
 */
export interface Endpoint {
  /** The libprocess process that has it in Mesos. */
  readonly process:
    | "slave(1)"
    | "files"
    | "metrics"
    | "system"
    | "logging"
    | "version"
    | "help"
    | "__processes__"
    | "profiler";
  /** Full path, the process included. */
  readonly path: string;
  /** Other full paths for the same: what other releases called it. */
  readonly aliases: readonly string[];
  /** Anything below the path belongs to it too. */
  readonly below?: boolean;
  /** GET and HEAD pages take POST as well, as Mesos does; POST pages nothing else. */
  readonly method: "GET" | "POST";
  /** A GET page that takes no POST. */
  readonly takesPost?: false;
  readonly realm: "readonly" | "readwrite" | "executor" | undefined;
  /** What --acls must allow. */
  readonly asks: Asks;
  /** In turn with a limited rate: requests wait. */
  readonly limited?: boolean;
  /** Answered with 503 until recovery is done. */
  readonly afterRecovery?: boolean;
  /** It tells no secret and nothing of a sandbox: pages of all origins may read it, until --http_cors_allowed_origins names some. */
  readonly isPublic?: true;
  /** Asked for so often that no request is logged. */
  readonly isQuiet?: true;
  /** Bytes of a body; 1 MiB unless given. */
  readonly largestBody?: number;
  readonly summary: string;
  /** Query parameters, for the documentation. */
  readonly query?: string;
  /** Mesos releases, for the documentation. */
  readonly present: string;
}

const byPath = refuses("get_endpoints");
const work = shows("view_frameworks", "view_executors", "view_tasks");
const figures = shows("view_frameworks", "view_executors", "view_tasks", "view_containers");

const row = <const Row extends Endpoint>(endpoint: Row): Row => endpoint;

const agentPage = <const Path extends string>(
  path: Path,
  more: Omit<Endpoint, "process" | "path" | "aliases" | "method">,
) =>
  row({
    process: "slave(1)",
    path: `/slave(1)/${path}` as `/slave(1)/${Path}`,
    aliases: [`/slave(1)/${path}.json`],
    method: "GET",
    ...more,
  });

const filesPage = <const Name extends string>(name: Name, more: { summary: string; query?: string; asks?: Asks }) =>
  row({
    process: "files",
    path: `/files/${name}` as `/files/${Name}`,
    aliases: [`/files/${name}.json`],
    method: "GET",
    realm: "readonly",
    asks: [ofFile],
    present: "all; `.json` until 1.7",
    ...more,
  });

/** Bytes of an executor's call; an update with its data, or everything unacknowledged of a thousand tasks, stays below. */
const LARGEST_EXECUTOR_CALL = 4 * 1024 * 1024;

export const endpoints = [
  row({
    process: "slave(1)",
    path: "/slave(1)",
    aliases: [],
    method: "GET",
    takesPost: false,
    realm: undefined,
    asks: [nothing("it is the same on every agent; what it shows it asks the other endpoints for")],
    isQuiet: true,
    summary: "The node's own web page, at `/`.",
    present: "this agent",
  }),
  row({
    process: "slave(1)",
    path: "/slave(1)/ui",
    aliases: [],
    below: true,
    method: "GET",
    takesPost: false,
    realm: undefined,
    asks: [nothing("as the page")],
    isQuiet: true,
    summary: "The files of that page.",
    present: "this agent",
  }),
  agentPage("state", {
    isPublic: true,
    realm: "readonly",
    asks: [
      shows("view_frameworks", "view_executors", "view_tasks", "view_roles", "view_flags", "view_resource_providers"),
    ],
    afterRecovery: true,
    summary: "The agent, its resources, flags, frameworks, executors and tasks.",
    present: "all; `.json` until 1.7",
  }),
  agentPage("health", {
    realm: undefined,
    asks: [nothing("whoever balances or watches must see that the agent serves")],
    isPublic: true,
    isQuiet: true,
    summary: "200 with an empty body while the agent serves. Never asks for a password.",
    present: "all",
  }),
  agentPage("health/details", {
    isPublic: true,
    realm: "readonly",
    asks: [byPath, shows("access_mesos_logs")],
    summary: "What is wrong with parts of the agent, as {healthy, phase, master, troubles: {part: text}}; always 200.",
    present: "this agent",
  }),
  agentPage("tasks", {
    isPublic: true,
    realm: "readonly",
    asks: [byPath, work],
    afterRecovery: true,
    summary:
      "Why every task is in its state and since when: message, reason, source, exit code, what it waits for. With `task_id` all that is known of the tasks of that id: command, container, history, checks; of environment variables only the names.",
    query: "`task_id`, `framework_id`, `container_id`",
    present: "this agent",
  }),
  agentPage("node", {
    isPublic: true,
    realm: "readonly",
    asks: [byPath, shows("view_flags", "access_sandboxes", "access_mesos_logs")],
    summary:
      "The machine (kernel, control groups, load, memory, disk, how long things waited for CPU, memory and disk, OOM kills), what runs the containers, the services beside the agent as supervisord has them, and how far the forwarder is, where its configuration has `monitoring.address`.",
    present: "this agent",
  }),
  agentPage("flags", {
    isPublic: true,
    realm: "readonly",
    asks: [refuses("view_flags")],
    summary: "Every flag that has a value; secrets are masked.",
    present: "since 0.26",
  }),
  row({
    process: "slave(1)",
    path: "/slave(1)/monitor/statistics",
    aliases: ["/slave(1)/monitor/statistics.json"],
    method: "GET",
    isPublic: true,
    realm: "readonly",
    asks: [byPath, shows("view_containers")],
    limited: true,
    summary: "What every executor's container uses.",
    present: "all; `.json` until 1.7",
  }),
  agentPage("containers", {
    isPublic: true,
    realm: "readonly",
    asks: [byPath, shows("view_containers")],
    limited: true,
    summary: "The same with each container's id, network and cgroup.",
    query: "`container_id`",
    present: "since 1.0",
  }),
  row({
    process: "slave(1)",
    path: "/slave(1)/api/v1",
    aliases: [],
    method: "POST",
    realm: "readwrite",
    asks: [{ kind: "call" }],
    afterRecovery: true,
    summary: "The operator API: a `mesos.v1.agent.Call` as JSON or protobuf.",
    present: "since 1.0",
  }),
  row({
    process: "slave(1)",
    path: "/slave(1)/api/v1/executor",
    aliases: [],
    method: "POST",
    realm: "executor",
    asks: [{ kind: "executor" }],
    isQuiet: true,
    largestBody: LARGEST_EXECUTOR_CALL,
    summary:
      "The executor API: a `mesos.v1.executor.Call` as JSON or protobuf. SUBSCRIBE is answered by events without an end.",
    present: "since 0.28",
  }),
  filesPage("browse", { summary: "What is in a folder of a sandbox.", query: "`path`" }),
  filesPage("read", {
    summary: "A part of a file, at most 64 KiB; without `offset` (or with -1) only its size, as `offset`.",
    query: "`path`, `offset`, `length`",
  }),
  filesPage("download", { summary: "A file as it is.", query: "`path`" }),
  filesPage("debug", {
    summary: "Virtual paths and where they lead.",
    asks: [byPath, shows("access_sandboxes", "access_mesos_logs")],
  }),
  row({
    process: "metrics",
    path: "/metrics/snapshot",
    aliases: ["/metrics/snapshot.json"],
    method: "GET",
    isPublic: true,
    realm: "readonly",
    asks: [byPath, figures],
    limited: true,
    summary: "All metrics, a flat object. What is not known within `timeout` is left out.",
    query: "`timeout`, such as `5secs`",
    present: "all",
  }),
  row({
    process: "metrics",
    path: "/metrics/prometheus",
    aliases: [],
    method: "GET",
    isPublic: true,
    realm: "readonly",
    asks: [byPath, figures],
    summary: "All metrics in Prometheus' text format.",
    present: "this agent",
  }),
  row({
    process: "system",
    path: "/system/stats.json",
    aliases: ["/system/stats"],
    method: "GET",
    isPublic: true,
    realm: "readonly",
    asks: [nothing("load and memory of the machine; Mesos asks nothing")],
    summary: "Load, CPUs and memory of the machine.",
    present: "all",
  }),
  row({
    process: "logging",
    path: "/logging/toggle",
    aliases: [],
    method: "GET",
    realm: "readwrite",
    asks: [byPath],
    summary: "The level of verbose log lines; with both parameters, raises it for a while.",
    query: "`level`, `duration`",
    present: "all",
  }),
  row({
    process: "version",
    path: "/version",
    aliases: [],
    method: "GET",
    isPublic: true,
    realm: undefined,
    asks: [nothing("masters and tools ask for it before they know anything else")],
    summary: "Version and build. Never asks for a password.",
    present: "since 0.26",
  }),
  row({
    process: "profiler",
    path: "/profiler",
    aliases: ["/memory-profiler"],
    below: true,
    method: "GET",
    realm: "readwrite",
    asks: [nothing("there is nothing to see")],
    summary: "400: profiling is Node's own inspector's business.",
    present: "all",
  }),
  row({
    process: "help",
    path: "/help",
    aliases: [],
    below: true,
    method: "GET",
    isPublic: true,
    realm: undefined,
    asks: [nothing("it is the same on every agent")],
    summary: "This list, as HTML, as Markdown for curl, or as JSON with `format=json`.",
    query: "`format`",
    present: "all",
  }),
  row({
    process: "__processes__",
    path: "/__processes__",
    aliases: [],
    method: "GET",
    isPublic: true,
    realm: "readonly",
    asks: [nothing("it is the same on every agent")],
    summary: "libprocess processes of this port.",
    present: "all",
  }),
] as const satisfies readonly Endpoint[];

export type EndpointPath = (typeof endpoints)[number]["path"];
