import { basename, join } from "node:path";
import { messageOf, type UserError } from "../base/errors.ts";
import { firstWord } from "./command.ts";
import { renderForwarderConfiguration } from "./forwarder-conf.ts";
import type { Paths } from "./paths.ts";
import { missingPrograms } from "./programs.ts";
import type { Resolution } from "./resolve.ts";
import { type Service, servicesOf } from "./services.ts";
import { programFile, supervisordFile } from "./supervisor-conf.ts";
import { variables } from "./variables.ts";

export interface PlannedFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Readable by this user's group as well, when there is one. */
  readonly group?: string;
}

export interface PlannedFolder {
  readonly path: string;
  readonly mode: number;
  readonly owner?: string;
}

/** All that init does to the file system and the environment. */
export interface Plan {
  readonly services: readonly Service[];
  readonly folders: readonly PlannedFolder[];
  readonly files: readonly PlannedFile[];
  readonly removed: readonly string[];
  /** Variables for the services: a value, or undefined for one to take out. */
  readonly environment: ReadonlyMap<string, string | undefined>;
  readonly warnings: readonly string[];
  /** What will not work unless something changes before the services start. */
  readonly missing: readonly string[];
  readonly errors: readonly UserError[];
}

/** What planning needs to know of the machine. */
export interface Machine {
  readonly isRoot: boolean;
  readonly userExists: (name: string) => boolean;
  readonly isExecutable: (path: string) => boolean;
  /** Content of each file of a configuration: one file, or those of a folder. Throws when there is none. */
  readonly readConfiguration: (path: string) => readonly { readonly path: string; readonly text: string }[];
}

const FORWARDER_USER = "logstash-forwarder";

interface Rendered {
  readonly files: readonly PlannedFile[];
  /** What the forwarder is to be given as -config. */
  readonly configuration: string;
  readonly warnings: readonly string[];
}

/** The rendered copy below /run. A configuration that cannot be read is left to the forwarder, with a warning. */
function renderForwarder(resolution: Resolution, paths: Paths, machine: Machine): Rendered {
  const value = (name: string): string | undefined => resolution.settings.get(name)?.value;
  const source = value("SERVICE_LOGSTASH_FORWARDER_CONF") ?? paths.forwarderConfiguration;
  if (value("SERVICE_LOGSTASH_FORWARDER") !== "enabled") return { files: [], configuration: source, warnings: [] };
  const warnings: string[] = [];
  const address = value("SERVICE_LOGSTASH_FORWARDER_ADDRESS");
  if (address === undefined && source === paths.forwarderConfiguration) {
    warnings.push(
      "SERVICE_LOGSTASH_FORWARDER_ADDRESS is not set: the default configuration's logstash.address:5000 is a placeholder",
    );
  }
  const values = {
    address,
    certificate: value("SERVICE_LOGSTASH_FORWARDER_CERT"),
    appName: value("APP_NAME") ?? "",
    environment: value("ENVIRONMENT") ?? "",
    parentHost: value("PARENT_HOST") ?? "",
    logDir: value("MESOS_LOG_DIR") ?? "/var/log/mesos",
    severities: (value("SERVICE_LOGSTASH_FORWARDER_SEVERITIES") ?? "INFO").toUpperCase().split(/[\s,]+/),
    root: paths.root,
  };
  try {
    const sources = machine.readConfiguration(source);
    const inFolder = sources[0]?.path !== source;
    const folder = inFolder ? join(paths.forwarderRendered, "conf.d") : paths.forwarderRendered;
    const files = sources.map((each) => ({
      path: join(folder, basename(each.path)),
      text: renderForwarderConfiguration(each.text, each.path, values),
      mode: 0o640,
      group: FORWARDER_USER,
    }));
    return { files, configuration: inFolder ? folder : (files[0]?.path ?? source), warnings };
  } catch (error) {
    warnings.push(`logstash-forwarder's configuration is used as it is: ${messageOf(error)}`);
    return { files: [], configuration: source, warnings };
  }
}

/** What the HEALTHCHECK reads: where the agent answers, and whether a watchdog must be alive. One value a line. */
function healthFile(resolution: Resolution, services: readonly Service[]): string {
  const value = (name: string): string | undefined => resolution.settings.get(name)?.value;
  const given = (name: string): string => resolution.environmentValue(name) ?? "";
  const address = given("MESOS_IP") || given("LIBPROCESS_IP") || "127.0.0.1";
  const port = given("MESOS_PORT") || given("LIBPROCESS_PORT") || "5051";
  const tls = /^(1|true)$/.test(given("LIBPROCESS_SSL_ENABLED") || given("SSL_ENABLED"));
  const watched = services.some(({ name, listener, enabled }) => name === "redpill" && listener && enabled);
  const interval = watched ? (value("SERVICE_REDPILL_INTERVAL") ?? "30") : "0";
  const host = address === "0.0.0.0" || address.includes("\n") ? "127.0.0.1" : address;
  return `${host}\n${/^\d+$/.test(port) ? port : "5051"}\n${interval}\n${tls ? "tls" : "http"}\n`;
}

/** Where a secret that was given as text lies, when the agent reads it from a file. */
const secretPath = (name: string, paths: Paths): string => join(paths.secrets, name.toLowerCase());

/** These files, by variable. */
function secretFiles(resolution: Resolution, paths: Paths): Map<string, PlannedFile> {
  const files = new Map<string, PlannedFile>();
  for (const { name, inFile } of variables) {
    const value = resolution.settings.get(name)?.value;
    if (!inFile || value === undefined || value.startsWith("/") || value.startsWith("file://")) continue;
    files.set(name, { path: secretPath(name, paths), text: `${value}\n`, mode: 0o600 });
  }
  return files;
}

/** Variables whose values hold secrets: not for services that run as another user. */
const secretNames = (resolution: Resolution): string[] =>
  [...resolution.settings.values()].filter(({ value, shown }) => value !== shown).map(({ name }) => name);

function foldersOf(resolution: Resolution, paths: Paths): PlannedFolder[] {
  const value = (name: string): string | undefined => resolution.settings.get(name)?.value;
  const folders: PlannedFolder[] = [
    { path: paths.run, mode: 0o755 },
    { path: paths.programs, mode: 0o755 },
    { path: paths.serviceLogs, mode: 0o755 },
    { path: paths.secrets, mode: 0o700 },
    { path: paths.forwarderRendered, mode: 0o755 },
    { path: paths.forwarderState, mode: 0o750, owner: FORWARDER_USER },
  ];
  for (const name of ["MESOS_LOG_DIR", "MESOS_WORK_DIR"]) {
    const path = value(name);
    if (path?.startsWith("/")) folders.push({ path, mode: 0o755 });
  }
  return folders;
}

/** Decides everything that init will write; touches nothing. */
export function planOf(resolution: Resolution, paths: Paths, machine: Machine): Plan {
  const value = (name: string): string => resolution.settings.get(name)?.value ?? "";
  const forwarder = renderForwarder(resolution, paths, machine);
  const { services, errors } = servicesOf(resolution, paths, forwarder.configuration);
  const warnings = [...resolution.warnings, ...forwarder.warnings];
  const mayRunAs = (user: string): boolean => machine.isRoot && machine.userExists(user);
  const options = {
    startSeconds: Number(value("SERVICE_START_SECONDS")),
    startRetries: Number(value("SERVICE_START_RETRIES")),
    secrets: secretNames(resolution),
    mayRunAs,
  };
  const file = (path: string, text: string): PlannedFile => ({ path, text, mode: 0o644 });
  const programs = services.map((service) =>
    file(
      join(paths.programs, `${service.name}.${service.enabled ? "conf" : "disabled"}`),
      programFile(service, paths, options),
    ),
  );
  for (const { name, enabled, user } of services) {
    if (enabled && user !== undefined && !mayRunAs(user))
      warnings.push(`${name} runs as the user of init: there is no user ${user} here, or init is not root`);
  }
  const environment = new Map<string, string | undefined>();
  for (const name of resolution.removed) environment.set(name, undefined);
  const secrets = secretFiles(resolution, paths);
  for (const { name, value } of resolution.settings.values()) environment.set(name, secrets.get(name)?.path ?? value);
  for (const service of services) {
    if (!service.enabled) continue;
    for (const [name, character] of Object.entries(service.rendered.environment)) environment.set(name, character);
  }
  const watchdog = services.find(({ name, enabled, listener }) => name === "redpill" && enabled && listener);
  // For /init.sh, which keeps it to itself.
  if (watchdog !== undefined && value("SERVICE_REDPILL_CLEANUP") !== "")
    environment.set("INIT_CLEANUP", value("SERVICE_REDPILL_CLEANUP"));
  return {
    services,
    folders: foldersOf(resolution, paths),
    files: [
      file(paths.interfaces, supervisordFile(machine.isRoot)),
      ...programs,
      file(paths.health, healthFile(resolution, services)),
      ...secrets.values(),
      ...forwarder.files,
    ],
    removed: [
      ...services.map(({ name, enabled }) => join(paths.programs, `${name}.${enabled ? "disabled" : "conf"}`)),
      ...variables.filter(({ inFile }) => inFile).map(({ name }) => secretPath(name, paths)),
    ],
    environment,
    warnings: [...warnings, ...settingWarnings(resolution), ...services.flatMap(shellWarning)],
    missing: missingPrograms(services, {
      path: programFolders(resolution, paths),
      isExecutable: machine.isExecutable,
    }),
    errors: [...resolution.errors, ...errors],
  };
}

/** Where supervisord will look for programs. */
const programFolders = (resolution: Resolution, { root }: Paths): string[] => [
  ...(root === "" ? [] : [`${root}/usr/local/bin`]),
  ...(resolution.environmentValue("PATH") ?? "").split(":").filter(Boolean),
];

/** The old documentation writes a command with a shell's variable in it, and supervisord is no shell. */
function shellWarning({ name, enabled, command }: Service): string[] {
  const [whole, variable] = /\$\{?([A-Za-z_]\w*)\}?/.exec(command) ?? [];
  if (!enabled || whole === undefined || /^(bash|dash|sh)$/.test(basename(firstWord(command)))) return [];
  const right = variables.find(({ slips }) => slips?.includes(variable ?? ""))?.name ?? variable;
  return [`the command of ${name} has ${whole}, which no shell expands: write %(ENV_${right})s`];
}

/** Settings that will run, but perhaps not as meant. */
function settingWarnings(resolution: Resolution): string[] {
  const value = (name: string): string | undefined => resolution.settings.get(name)?.value;
  const warnings: string[] = [];
  if (value("MESOS_MASTER") === undefined && value("SERVICE_MESOS_CMD") === "mesos-slave")
    warnings.push("MESOS_MASTER is not set: the agent will not start without it");
  if (value("MESOS_WORK_DIR") === undefined && resolution.profile !== "local")
    warnings.push("MESOS_WORK_DIR is not set: sandboxes will lie in the container's own layer");
  return warnings;
}
