import { UserError } from "../base/errors.ts";
import { parseLocated, prepareText } from "../config/located-json.ts";

export interface ForwarderValues {
  readonly address: string | undefined;
  readonly certificate: string | undefined;
  readonly appName: string;
  readonly environment: string;
  readonly parentHost: string;
  readonly logDir: string;
  readonly severities: readonly string[];
  /** Put before the paths of the default configuration. */
  readonly root: string;
}

/** A rendered copy, and what of the original was let pass. */
export interface RenderedConfiguration {
  readonly text: string;
  readonly warnings: readonly string[];
}

/** The configuration that the user names, and the copy that the forwarder is to read; the same when there is no copy. */
export interface ForwarderConfiguration {
  readonly source: string;
  readonly rendered: string;
}

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A setting's value as the forwarder reads it back: it takes a dollar sign for the beginning of a variable. */
const literal = (value: string): string => value.replaceAll("$", "$$$$");

const DEFAULT_LOG_DIR = "/var/log/mesos/";

/**
 * The default configuration's three globs of the agent's log files become those of MESOS_LOG_DIR, and only the severities
 * asked for: each file also holds everything more severe, so all three would ship an error three times.
 */
function agentPaths(paths: readonly unknown[], values: ForwarderValues): unknown[] {
  const severityOf = (path: unknown): string | undefined =>
    typeof path === "string" && path.startsWith(DEFAULT_LOG_DIR)
      ? /^\*\.(ERROR|INFO|WARNING)$/.exec(path.slice(DEFAULT_LOG_DIR.length))?.[1]
      : undefined;
  const narrow = new Set(paths.map(severityOf).filter(Boolean)).size === 3;
  const moved = (path: unknown): unknown =>
    typeof path === "string" && path.startsWith(DEFAULT_LOG_DIR)
      ? `${literal(values.logDir.replace(/\/$/, ""))}/${path.slice(DEFAULT_LOG_DIR.length)}`
      : path;
  return paths
    .filter((path) => {
      const severity = severityOf(path);
      return !narrow || severity === undefined || values.severities.includes(severity);
    })
    .map(moved);
}

function renderFiles(files: readonly unknown[], values: ForwarderValues): unknown[] {
  const known: JsonObject = {
    app_name: literal(values.appName),
    environment: literal(values.environment),
    parent_host: literal(values.parentHost),
  };
  return files.map((file) => {
    if (!isObject(file)) return file;
    const rendered: JsonObject = { ...file };
    if (Array.isArray(file["paths"])) rendered["paths"] = agentPaths(file["paths"], values);
    if (isObject(file["fields"])) {
      const fields: JsonObject = { ...file["fields"] };
      for (const [name, value] of Object.entries(known)) if (name in fields) fields[name] = value;
      rendered["fields"] = fields;
    }
    return rendered;
  });
}

/**
 * The copy of a forwarder configuration that the forwarder reads: servers, CA and fields put in; everything else as it was. It
 * is read as the forwarder reads it (comments, keys in any case), but for the variables in its texts: those stay, because the
 * copy is read so too, and because they may hold secrets. Throws a UserError when `text` is not such a file.
 */
export function renderForwarderConfiguration(
  text: string,
  path: string,
  values: ForwarderValues,
  lookUp: (variable: string) => string | undefined,
): RenderedConfiguration {
  const prepared = prepareText(text, lookUp, "kept");
  const located = parseLocated(path, prepared);
  const configuration = located.value;
  if (!isObject(configuration)) throw new UserError(`${path} is not a JSON object`, "correct it");
  const network: JsonObject = isObject(configuration["network"]) ? { ...configuration["network"] } : {};
  const servers = (values.address ?? "")
    .split(",")
    .map((server) => server.trim())
    .filter(Boolean);
  if (servers.length > 0) network["servers"] = servers;
  if (values.certificate !== undefined) network["ssl ca"] = literal(values.certificate);
  else if (values.root !== "" && typeof network["ssl ca"] === "string" && network["ssl ca"].startsWith("/opt/"))
    network["ssl ca"] = `${values.root}${network["ssl ca"]}`;
  const files = configuration["files"];
  const rendered = {
    ...configuration,
    ...("network" in configuration || Object.keys(network).length > 0 ? { network } : {}),
    ...(Array.isArray(files) ? { files: renderFiles(files, values) } : {}),
  };
  return {
    text: `${JSON.stringify(rendered, null, 2)}\n`,
    warnings: [
      ...prepared.warnings.map((warning) => `${path}: ${warning}`),
      ...located.warnings.map(({ line, message }) => `${path}:${line}: ${message}`),
    ],
  };
}
