import { formatDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { authenticatorsOf } from "../authorization/authenticators.ts";
import { containerizers } from "../containerizer/table.ts";
import type { AgentFlags } from "../flags/table.ts";
import { isolators } from "../isolators/table.ts";

export interface Findings {
  readonly problems: readonly UserError[];
  readonly warnings: readonly string[];
}

/** What is checked of the flags together; whether each was given at all. */
export interface FlagsToCheck {
  readonly values: AgentFlags;
  /** Whether a flag was given, by environment or command line. */
  readonly given: (name: keyof AgentFlags) => boolean;
}

const MINUTE = 60_000;
const pathTooLong = 107;

function* addressProblems({ values }: FlagsToCheck): Generator<UserError> {
  if (values.master === undefined) {
    yield new UserError(
      "Missing required option --master",
      "set MESOS_MASTER or --master to host:port, zk://host1:port1,host2:port2/path, or `local` to try it out",
    );
  }
  if (values.ip !== undefined && values.ip_discovery_command !== undefined)
    yield new UserError("Only one of --ip and --ip_discovery_command can be given", "keep one of them");
  if (values.hostname === "") yield new UserError("--hostname is empty", "leave it out, or write a name");
  if (values.advertise_port === 0)
    yield new UserError("--advertise_port cannot be 0", "write the port that others dial");
}

function* boundProblems({ values }: FlagsToCheck): Generator<UserError> {
  const atMost = (name: "registration_backoff_factor" | "executor_reregistration_timeout", most: number) =>
    values[name] > most
      ? [new UserError(`--${name} is ${formatDuration(values[name])}`, `give at most ${formatDuration(most)}`)]
      : [];
  yield* atMost("registration_backoff_factor", MINUTE);
  yield* atMost("executor_reregistration_timeout", 15_000);
  if (values.authentication_timeout_max < values.authentication_timeout_min)
    yield new UserError("--authentication_timeout_max is below --authentication_timeout_min", "swap or raise it");
  if (values.executor_reregistration_retry_interval === 0)
    yield new UserError("--executor_reregistration_retry_interval cannot be 0", "give 100ms or more, or leave it out");
  if (values.disk_watch_interval === 0 || values.container_disk_watch_interval === 0)
    yield new UserError("--disk_watch_interval and --container_disk_watch_interval cannot be 0", "give 1secs or more");
}

function* pathProblems({ values }: FlagsToCheck): Generator<UserError> {
  for (const name of ["work_dir", "runtime_dir", "sandbox_directory"] as const) {
    if (!values[name].startsWith("/"))
      yield new UserError(`--${name} is '${values[name]}', not an absolute path`, "begin it with /");
  }
  if (!/^[^/\s][^\s]*$/.test(values.cgroups_root) || values.cgroups_root.split("/").includes(".."))
    yield new UserError(`--cgroups_root is '${values.cgroups_root}'`, "write a relative path without spaces or ..");
  if (values.docker_socket.startsWith("/") && values.docker_socket.length > pathTooLong)
    yield new UserError(`--docker_socket is longer than ${pathTooLong} bytes`, "no system takes longer socket paths");
}

function* containerizerProblems({ values }: FlagsToCheck): Generator<UserError> {
  const known = Object.keys(containerizers);
  const seen = new Set<string>();
  if (values.containerizers.length === 0)
    yield new UserError("--containerizers names none", "write mesos, docker, or docker,mesos");
  for (const name of values.containerizers) {
    if (seen.has(name)) yield new UserError(`--containerizers names '${name}' twice`, "name it once");
    seen.add(name);
    if (known.includes(name)) continue;
    const like = nearest(name, known);
    yield new UserError(
      `--containerizers names '${name}', which does not exist`,
      like === undefined ? `there are ${known.join(" and ")}` : `did you mean ${like}?`,
    );
  }
}

function isolationFindings({ values }: FlagsToCheck): { problems: UserError[]; warnings: string[] } {
  const problems: UserError[] = [];
  const warnings: string[] = [];
  for (const name of values.isolation) {
    const status = Object.hasOwn(isolators, name) ? isolators[name]?.status : undefined;
    if (status === undefined) {
      const like = nearest(name, Object.keys(isolators));
      const fix = like === undefined ? "modules cannot be loaded; leave it out" : `did you mean ${like}?`;
      problems.push(new UserError(`--isolation names '${name}', which does not exist`, fix));
    } else if (status.kind === "refused") {
      problems.push(new UserError(`--isolation names '${name}': ${status.reason}`, `leave ${name} out`));
    } else if (status.kind === "ignored") warnings.push(`--isolation: ${name} is ignored: ${status.reason}`);
  }
  if (values.enforce_container_disk_quota && !values.isolation.some((one) => one === "posix/disk" || one === "disk/du"))
    warnings.push("--enforce_container_disk_quota has no effect without --isolation=disk/du");
  return { problems, warnings };
}

function* accessFindings({ values }: FlagsToCheck): Generator<UserError> {
  const wanted = (["authenticate_http_readonly", "authenticate_http_readwrite"] as const).filter(
    (name) => values[name],
  );
  const authenticators = authenticatorsOf(values);
  if (wanted.length > 0 && authenticators.has("basic") && values.http_credentials === undefined) {
    yield new UserError(
      `--${wanted.join(" and --")} without --http_credentials: nobody could log in`,
      'give --http_credentials=FILE with {"credentials": [{"principal": "…", "secret": "…"}]}',
    );
  }
  if (authenticators.has("jwt") && values.jwt_secret_key === undefined) {
    const given = values.authenticate_http_executors ? "--authenticate_http_executors" : "--http_authenticators=jwt";
    yield new UserError(
      `${given} without --jwt_secret_key: no executor could have a token`,
      "give --jwt_secret_key=FILE with a key that only root can read, such as 32 bytes of /dev/urandom",
    );
  }
  if (values.authenticate_http_executors && !authenticators.has("jwt")) {
    yield new UserError(
      "--authenticate_http_executors with --http_authenticators that take no tokens: no executor could register",
      "add jwt to --http_authenticators, or leave that flag out",
    );
  }
}

function* accessWarnings({ values }: FlagsToCheck): Generator<string> {
  const asks = values.authenticate_http_readonly || values.authenticate_http_readwrite;
  if (values.http_credentials !== undefined && !asks)
    yield "--http_credentials has no effect without --authenticate_http_readonly or --authenticate_http_readwrite";
  if (values.acls !== undefined && !(values.authenticate_http_readonly && values.authenticate_http_readwrite))
    yield "--acls without --authenticate_http_readonly and --authenticate_http_readwrite: where nobody is asked for a name, " +
      "only rules for ANY principals mean anything";
}

/** Mistakes that no single flag shows (mesos-agent-behaviour §1.5). Pure: files and interfaces are not looked at. */
export function checkAgentFlags(flags: FlagsToCheck): Findings {
  const isolation = isolationFindings(flags);
  const warnings = [...isolation.warnings];
  const { values, given } = flags;
  if (!given("work_dir")) {
    warnings.push(
      `--work_dir is not given: sandboxes and state go to ${values.work_dir}, which a reboot or a new container loses`,
    );
  }
  if (values.quiet && values.log_dir === undefined)
    warnings.push("--quiet without --log_dir: nothing is logged anywhere");
  if (values.log_dir !== undefined && values.external_log_file !== undefined)
    warnings.push("--external_log_file is shown on the pages, although there are log files in --log_dir");
  warnings.push(...accessWarnings(flags));
  return {
    problems: [
      ...addressProblems(flags),
      ...boundProblems(flags),
      ...pathProblems(flags),
      ...containerizerProblems(flags),
      ...isolation.problems,
      ...accessFindings(flags),
    ],
    warnings,
  };
}
