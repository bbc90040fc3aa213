import { UserError } from "../../base/errors.ts";
import { defineFlags, flag, ignored, refused, renamedFrom } from "../../config/flag.ts";
import { anyObject, boolean, duration, integer, json, list, listOf, oneOf, path, text } from "../../config/kinds.ts";
import { parseOrigin } from "../../http/origins.ts";
import { parseAcls } from "../authorization/acls.ts";
import { parseAuthenticator } from "../authorization/authenticators.ts";

/** Firewall rules in JSON: the exact paths (after delegation) that answer 403. */
function disabledPaths(value: unknown): readonly string[] {
  const paths = anyObject(anyObject(value)["disabled_endpoints"] ?? {})["paths"] ?? [];
  if (Array.isArray(paths) && paths.every((one) => typeof one === "string")) return paths;
  throw new UserError("the paths are not strings", 'write {"disabled_endpoints": {"paths": ["/slave(1)/state", …]}}');
}

const NO_MODULES = "modules are C++ libraries, which this agent cannot load";

/** Who may use the agent's pages. */
export const accessFlags = defineFlags({
  authenticate_http_readonly: flag(boolean, {
    summary: "Pages that only show something need a name and a password of --http_credentials.",
    since: "1.0.0",
    default: false,
  }),
  authenticate_http_readwrite: flag(boolean, {
    summary: "Pages that change something need a name and a password of --http_credentials.",
    since: "1.0.0",
    default: false,
  }),
  http_credentials: flag(path, {
    summary: 'File with JSON {"credentials": [{"principal": "…", "secret": "…"}]} for these pages.',
    since: "1.0.0",
  }),
  http_authenticators: flag(listOf(parseAuthenticator), {
    summary:
      "What these pages take: `basic`, names and passwords; `jwt`, tokens of executors. Unless it is given, `basic`, and " +
      "`jwt` too with --authenticate_http_executors.",
    since: "1.0.0",
    defaultText: "basic",
  }),
  firewall_rules: flag(json(disabledPaths), {
    summary: 'Paths that answer 403: {"disabled_endpoints": {"paths": ["/slave(1)/state"]}}.',
  }),
  require_master_certificate: flag(boolean, {
    summary:
      "What masters send is taken only by TLS connections whose certificate is for the master's address or host name, and " +
      "signed by LIBPROCESS_SSL_CA_FILE. Executors and web pages need none. Needs LIBPROCESS_SSL_VERIFY_CERT.",
    since: "this agent",
    default: false,
  }),
  http_hosts: flag(list, {
    summary:
      "Names under which these pages may be asked, besides the host's own, addresses and names without a dot: " +
      "`a.example,.b.example` (with all below it), or `*`. Others may be a web page's trick (DNS rebinding), and get 403.",
    since: "this agent",
    default: [],
  }),
  http_cors_allowed_origins: flag(listOf(parseOrigin), {
    summary:
      "Origins (`https://master1.example:5050`) whose web pages may use everything here, with the reader's password where one is " +
      "asked for; `*`: pages of all may read, without passwords kept by browsers, and change only what needs one shown. Others get " +
      "nothing. Without this flag pages of all origins read what tells no secret and no sandbox, and by JSONP what masters' pages show.",
    since: "ClusterD",
    default: [],
  }),
  authenticate_http_executors: flag(boolean, {
    summary:
      "Executors of the HTTP API must show the token that they are given at their start. Needs --jwt_secret_key. " +
      "Executors of the old library (drivers) have none.",
    since: "1.3.0",
    default: false,
  }),
  jwt_secret_key: flag(path, {
    summary: "File with the key of these tokens, taken as it is. Another key ends the tokens of running executors.",
    since: "1.5.0",
    aliases: renamedFrom("executor_secret_key"),
  }),
  acls: flag(json(parseAcls), {
    summary:
      'Who may do what: JSON such as {"permissive": false, "view_tasks": [{"principals": {"values": ["ops"]}, "users": ' +
      '{"type": "ANY"}}]}. A file is read again on SIGHUP. See authorization.md.',
    since: "1.0.0",
    placeholder: "JSON|FILE",
  }),
  authorizer: flag(oneOf("local"), {
    summary: "Who decides: the rules of --acls. Modules are C++ libraries, which this agent cannot load.",
    since: "1.0.0",
    default: "local",
    aliases: renamedFrom("authorizers"),
  }),
  secret_resolver: flag(text, { summary: "Module that finds secrets.", since: "1.4.0", status: refused(NO_MODULES) }),
  http_heartbeat_interval: flag(duration, {
    summary: "How often operators' streams get a sign of life.",
    since: "1.2.0",
    default: 30_000,
    status: ignored("the calls that stream are not implemented"),
  }),
});

/** Modules. */
export const moduleFlags = defineFlags({
  modules: flag(json(anyObject), { summary: "Libraries to load.", status: refused(NO_MODULES) }),
  modules_dir: flag(path, {
    summary: "Folder of files that name libraries to load.",
    since: "1.0.0",
    status: refused(NO_MODULES),
  }),
  hooks: flag(list, { summary: "Modules that change tasks.", status: refused(NO_MODULES) }),
  memory_profiling: flag(boolean, {
    summary: "Pages that profile memory.",
    since: "1.6.0",
    default: false,
    status: ignored("that is jemalloc's; Node's own inspector does it here"),
  }),
});

/** What is written where. */
export const loggingFlags = defineFlags({
  log_dir: flag(path, {
    summary: "Folder of log files in glog's form; made when it is missing. Without it, only the console gets lines.",
  }),
  logging_level: flag(oneOf("INFO", "WARNING", "ERROR"), {
    summary: "Lines below this are not written.",
    default: "INFO",
  }),
  quiet: flag(boolean, { summary: "No lines on the console.", default: false }),
  logbufsecs: flag(integer(0, 3_600), {
    summary: "Seconds that lines below WARNING may wait before they are written.",
    default: 0,
  }),
  external_log_file: flag(path, {
    summary: "A log that somebody else writes, to be shown on the pages instead of one in --log_dir.",
  }),
  initialize_driver_logging: flag(boolean, {
    summary: "Drivers start logging.",
    default: true,
    status: ignored("only scheduler and executor drivers read it"),
  }),
});
