import { hideUrlPassword } from "../config/flag.ts";
import { hideUnlessPath } from "./known-variables.ts";

/** What ENVIRONMENT chooses. `prod` and `dev` are short for two of them; anything else behaves as `local`. */
export type Profile = "local" | "production" | "development" | "debug";

export const PROFILES: readonly Profile[] = ["local", "production", "development", "debug"];

/** Heading of the documentation, and of a variable's place in the boot block. */
export type VariableGroup = "container" | "mesos" | "logstash-forwarder" | "redpill" | "supervisord";

export interface Variable {
  readonly name: string;
  readonly group: VariableGroup;
  readonly summary: string;
  /** In every profile. A path that starts with / lies below the root init works in. */
  readonly default?: string;
  /** Per profile; a profile that is not named has none (or `default`). */
  readonly profile?: Partial<Record<Profile, string>>;
  /** The default as the documentation should say it, when it is found at start. */
  readonly computed?: string;
  /** The default is a path inside the image. */
  readonly path?: true;
  /** Misspellings that published run commands contain: taken, with a warning that says the right name. */
  readonly slips?: readonly string[];
  /** Another right name: taken without a warning; both set and different is an error. */
  readonly formerly?: readonly string[];
  /** Holds a secret: NAME_FILE is read too, and what is printed is this of the value. */
  readonly mask?: (value: string) => string;
  /** The agent reads this secret from a file: NAME_FILE is that file, and a secret given as text is put into one. */
  readonly inFile?: true;
  /** `enabled` or `disabled`, in any case. */
  readonly toggle?: true;
  /** Words with commas between them; of these only, in any case, where it is not `true`. One without a word counts as unset. */
  readonly list?: true | readonly string[];
  /** A whole number from `minimum`. */
  readonly minimum?: number;
  /** The number is seconds: a duration (`30secs`, `5m`) is taken as well. */
  readonly seconds?: true;
  /** A Python format string for supervisord. */
  readonly command?: true;
  /** Why nothing reads it. */
  readonly ignored?: string;
}

const ON: Partial<Record<Profile, string>> = { production: "enabled", development: "enabled" };

/** Every variable that init itself knows. The agent's and the forwarder's own come from their flag tables. */
export const variables: readonly Variable[] = [
  {
    name: "ENVIRONMENT_INIT",
    group: "container",
    summary:
      "A file that Bash sources before anything else; what it exports wins, and so do MESOS_*, SERVICE_*, LIBPROCESS_* and GLOG_* variables that it only sets. No such file: a warning.",
  },
  {
    name: "APP_NAME",
    group: "container",
    default: "mesos-slave",
    summary: "A brief description of the container: the field app_name of shipped log lines.",
  },
  {
    name: "ENVIRONMENT",
    group: "container",
    default: "local",
    summary:
      "The profile: local, prod or production, dev or development, debug (any case; anything else behaves as local). Also the field environment of shipped log lines.",
  },
  {
    name: "PARENT_HOST",
    group: "container",
    default: "unknown",
    computed: "`HOST`, else `unknown`",
    summary: "The name of the host: the field parent_host of shipped log lines.",
  },
  {
    name: "MESOS_MASTER",
    group: "mesos",
    summary: "Where the master is: host:port, zk://…, or local for a development master inside the agent. Required.",
    mask: hideUrlPassword,
  },
  {
    name: "MESOS_MASTER_PORT",
    group: "mesos",
    computed: "`5050`",
    summary: "The port of the development master of MESOS_MASTER=local.",
  },
  {
    name: "MESOS_HOSTNAME",
    group: "mesos",
    computed: "first IPv4 of eth0 (`local`)",
    summary: "The name that the agent is known by.",
  },
  {
    name: "MESOS_WORK_DIR",
    group: "mesos",
    profile: { local: "/var/lib/mesos" },
    path: true,
    slips: ["MESOS_WORKDIR"],
    summary: "Where sandboxes and the agent's state lie. Must be the same path on the host for Docker tasks.",
  },
  {
    name: "MESOS_LOG_DIR",
    group: "mesos",
    default: "/var/log/mesos",
    path: true,
    summary: "Where the agent writes its log files.",
  },
  {
    name: "MESOS_CONTAINERIZERS",
    group: "mesos",
    default: "docker,mesos",
    list: true,
    slips: ["MESOS_CONTAINERIZES"],
    summary: "Containerizers, comma separated, the first that can takes a task.",
  },
  {
    name: "MESOS_EXECUTOR_REGISTRATION_TIMEOUT",
    group: "mesos",
    slips: ["MESOS_REGISTRATION_TIMEOUT"],
    summary: "How long an executor may take to register.",
  },
  {
    name: "MESOS_SANDBOX_DIRECTORY",
    group: "mesos",
    formerly: ["MESOS_DOCKER_SANDBOX_DIRECTORY"],
    summary: "The path inside a task's container where its sandbox appears (not a folder of the host).",
  },
  {
    name: "MESOS_CREDENTIAL",
    group: "mesos",
    summary: "The path of a file with the agent's principal and secret, or these themselves.",
    mask: hideUnlessPath,
    inFile: true,
  },
  {
    name: "MESOS_HTTP_CREDENTIALS",
    group: "mesos",
    summary: "The path of a file that says who may use the agent's HTTP endpoints, or its content.",
    mask: hideUnlessPath,
    inFile: true,
  },
  {
    name: "MESOS_DOCKER_CONFIG",
    group: "mesos",
    summary: "Registry credentials as JSON, or the path of a file with them.",
    mask: hideUnlessPath,
  },
  {
    name: "GLOG_max_log_size",
    group: "mesos",
    profile: { local: "10", production: "10", development: "10" },
    summary: "Size in MB at which the agent starts a new log file; the newest 5 of each severity are kept.",
  },
  {
    name: "SERVICE_MESOS_CMD",
    group: "mesos",
    default: "mesos-slave",
    command: true,
    summary: "The command that supervisord runs as the agent.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER",
    group: "logstash-forwarder",
    toggle: true,
    profile: { ...ON, local: "disabled", debug: "disabled" },
    summary: "enabled or disabled.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER_CONF",
    group: "logstash-forwarder",
    default: "/opt/logstash-forwarder/mesos-slave.conf",
    path: true,
    slips: ["SERVICE_LOGSTASH_FOWARDER_CONF", "SERICE_LOGSTASH_FORWARDER_CONF", "SERVICE_LOGSTASH_FORWARDER_CONFIG"],
    summary: "The forwarder's configuration. It is not changed: a rendered copy is.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER_ADDRESS",
    group: "logstash-forwarder",
    list: true,
    slips: ["SERICE_LOGSTASH_FORWARDER_ADDRESS", "SERVICE_LOGSTASH_FOWARDER_ADDRESS"],
    summary: "host:port of Logstash, or several, comma separated.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER_CERT",
    group: "logstash-forwarder",
    slips: ["SERICE_LOGSTASH_FORWARDER_CERT", "SERVICE_LOGSTASH_FOWARDER_CERT"],
    summary: "The file with the certificate authority that Logstash's certificate is checked against.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER_SEVERITIES",
    group: "logstash-forwarder",
    default: "INFO",
    list: ["INFO", "WARNING", "ERROR"],
    summary:
      "Which of the agent's log files the default configuration ships. Each severity's file also holds everything above it, so INFO alone ships every line once.",
  },
  {
    name: "SERVICE_LOGSTASH_FORWARDER_CMD",
    group: "logstash-forwarder",
    computed: '`/opt/logstash-forwarder/logstash-forwarder -config="$SERVICE_LOGSTASH_FORWARDER_CONF"`',
    slips: ["SERICE_LOGSTASH_FORWARDER_CMD", "SERVICE_LOGSTASH_FOWARDER_CMD"],
    command: true,
    summary: "The command that supervisord runs as the forwarder.",
  },
  {
    name: "SERVICE_REDPILL",
    group: "redpill",
    toggle: true,
    profile: { ...ON, local: "enabled", debug: "disabled" },
    summary: "enabled or disabled.",
  },
  {
    name: "SERVICE_REDPILL_MONITOR",
    group: "redpill",
    default: "mesos",
    list: true,
    summary:
      "The services to watch, comma separated: a program, group:name or group:*. Of wrong names it is said what may be meant, and the others are watched; with none right, mesos is.",
  },
  {
    name: "SERVICE_REDPILL_INTERVAL",
    group: "redpill",
    default: "30",
    minimum: 1,
    seconds: true,
    summary: "Seconds between two polls; supervisord's events are acted on at once.",
  },
  {
    name: "SERVICE_REDPILL_CLEANUP",
    group: "redpill",
    summary: "A script that is run once when the container ends.",
  },
  {
    name: "SERVICE_REDPILL_CLEANUP_TIMEOUT",
    group: "redpill",
    default: "30",
    minimum: 1,
    seconds: true,
    summary: "Seconds the clean-up may take after a failure. When the container is stopped it has 2.5 s.",
  },
  {
    name: "SERVICE_REDPILL_RESTARTS",
    group: "redpill",
    default: "20",
    minimum: 0,
    summary:
      "A watched service that ended unexpectedly this often within SERVICE_REDPILL_WINDOW counts as failed, though supervisord never calls it FATAL. 0: never.",
  },
  {
    name: "SERVICE_REDPILL_WINDOW",
    group: "redpill",
    default: "300",
    minimum: 1,
    seconds: true,
    summary: "Seconds, see SERVICE_REDPILL_RESTARTS.",
  },
  {
    name: "SERVICE_REDPILL_EXITED",
    group: "redpill",
    default: "10",
    minimum: 0,
    seconds: true,
    summary:
      "A watched service that ended with exit code 0, and that supervisord therefore does not restart, counts as failed after so many seconds. 0: never.",
  },
  {
    name: "SERVICE_REDPILL_CMD",
    group: "redpill",
    computed:
      '`/opt/scripts/redpill.sh --service "$SERVICE_REDPILL_MONITOR" --interval "$SERVICE_REDPILL_INTERVAL"`, and `--cleanup "$SERVICE_REDPILL_CLEANUP"` where that is set',
    command: true,
    summary: "The command that supervisord runs as the watchdog. One of your own runs as a plain program.",
  },
  {
    name: "SERVICE_LOG_PREFIX",
    group: "supervisord",
    default: "enabled",
    toggle: true,
    summary: "Each line of a service on the console begins with the service's name.",
  },
  {
    name: "SERVICE_START_SECONDS",
    group: "supervisord",
    default: "2",
    minimum: 0,
    seconds: true,
    summary: "A service that lives so long has started (startsecs).",
  },
  {
    name: "SERVICE_START_RETRIES",
    group: "supervisord",
    default: "10",
    minimum: 0,
    summary:
      "How often supervisord tries again before a service is FATAL (startretries). With 10 and the pauses between them, 55 to 75 seconds pass from the first crash to FATAL.",
  },
  {
    name: "SERVICE_LOGROTATE_CONF",
    group: "supervisord",
    slips: ["SERVICE_LOGROTATE_CONFIG"],
    ignored: "the agent and supervisord rotate their own log files (GLOG_max_log_size)",
    summary: "Of later releases of the old image.",
  },
];
