import { join } from "node:path";
import type { UserError } from "../base/errors.ts";
import type { Meaning } from "./command.ts";
import { authority, type Complaint, complaintsAbout } from "./findings.ts";
import type { ForwarderConfiguration } from "./forwarder-conf.ts";
import { FORWARDER_USER, planForwarder, type ReadConfiguration } from "./forwarder-plan.ts";
import { healthFile } from "./health.ts";
import type { MachineFacts } from "./machine.ts";
import { ownPrograms, type ProgramFile } from "./own-programs.ts";
import type { Paths } from "./paths.ts";
import type { PlannedFile } from "./planned-file.ts";
import { missingPrograms } from "./programs.ts";
import type { Resolution } from "./resolve.ts";
import { SERVICE_NAMES, type Service, servicesOf } from "./services.ts";
import { type ProgramOptions, programFile, supervisordFile, WRITTEN_BY_INIT } from "./supervisor-conf.ts";
import { variables } from "./variables.ts";

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
  readonly readConfiguration: ReadConfiguration;
  /** What lies in conf.d already: files of an earlier start, and the user's own. */
  readonly programFiles: readonly ProgramFile[];
  readonly facts: MachineFacts;
  /** Variables that other programs read, by their documented names. */
  readonly isDocumented: (name: string) => boolean;
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

/** What a variable in a command stands for. The forwarder's configuration is the rendered one, for every service. */
function meanings(resolution: Resolution, rendered: string, machine: Machine): (name: string) => Meaning | undefined {
  return (written) => {
    const row = variables.find(({ name, slips, formerly }) =>
      [name, ...(slips ?? []), ...(formerly ?? [])].includes(written),
    );
    // A command in a command would have no end.
    if (row?.command || row?.ignored !== undefined) return undefined;
    const name = row?.name ?? written;
    if (name === "SERVICE_LOGSTASH_FORWARDER_CONF") return { name, value: rendered, secret: false };
    if (row === undefined && name !== "HOST" && !machine.isDocumented(name)) return undefined;
    const setting = resolution.settings.get(name);
    return {
      name,
      value: setting?.value ?? (resolution.environmentValue(name) || undefined),
      secret: setting !== undefined && setting.value !== setting.shown,
    };
  };
}

interface ProgramInput {
  readonly resolution: Resolution;
  readonly paths: Paths;
  readonly configuration: ForwarderConfiguration;
  readonly mayRunAs: (user: string) => boolean;
}

/**
 * The variable leads to the rendered copy: for the forwarder, its commands, and services of the user's own. Agent and watchdog see
 * what the user said. A path that cannot be written between quotes is left out.
 */
const asSaid =
  ({ source, rendered }: ForwarderConfiguration): ProgramOptions["seesInstead"] =>
  ({ name }) =>
    name === "logstash-forwarder" || source === rendered || /["\\\n]/.test(source)
      ? []
      : [["SERVICE_LOGSTASH_FORWARDER_CONF", source]];

function programFilesFor(services: readonly Service[], { resolution, paths, configuration, mayRunAs }: ProgramInput) {
  const value = (name: string): string => resolution.settings.get(name)?.value ?? "";
  const options = {
    startSeconds: Number(value("SERVICE_START_SECONDS")),
    startRetries: Number(value("SERVICE_START_RETRIES")),
    secrets: secretNames(resolution),
    seesInstead: asSaid(configuration),
    mayRunAs,
  };
  const written = services.filter(({ own }) => own === undefined);
  const pathOf = (name: string, enabled: boolean): string =>
    join(paths.programs, `${name}.${enabled ? "conf" : "disabled"}`);
  return {
    files: written.map((service) =>
      plainFile(pathOf(service.name, service.enabled), programFile(service, paths, options)),
    ),
    removed: written.map(({ name, enabled }) => pathOf(name, !enabled)),
  };
}

const plainFile = (path: string, text: string): PlannedFile => ({ path, text, mode: 0o644 });

/** Decides everything that init will write; touches nothing. */
export function planOf(resolution: Resolution, paths: Paths, machine: Machine): Plan {
  const forwarder = planForwarder(resolution, paths, machine.readConfiguration);
  const own = ownPrograms(machine.programFiles, SERVICE_NAMES);
  const { rendered } = forwarder.configuration;
  const meaningOf = meanings(resolution, rendered, machine);
  const made = servicesOf({ resolution, paths, forwarder: forwarder.configuration, instead: own.instead, meaningOf });
  const { services } = made;
  const mayRunAs = (user: string): boolean => machine.isRoot && machine.userExists(user);
  const programs = programFilesFor(services, {
    resolution,
    paths,
    configuration: forwarder.configuration,
    mayRunAs,
  });
  const secrets = secretFiles(resolution, paths);
  const path = searchPath(resolution, paths);
  const complaints = [
    ...complaintsAbout({ resolution, services, own, facts: machine.facts }),
    ...authority(forwarder.files, resolution, machine.facts),
  ];
  const texts = (weight: Complaint["weight"]): string[] =>
    complaints.filter((each) => each.weight === weight).map(({ text }) => text);
  const asOthers = services.filter(({ enabled, user }) => enabled && user !== undefined && !mayRunAs(user));
  const interfaces = machine.programFiles.find((each) => each.path === paths.interfaces);
  const isOurs = interfaces === undefined || interfaces.text.startsWith(WRITTEN_BY_INIT);
  return {
    services,
    folders: foldersOf(resolution, paths),
    files: [
      ...(isOurs ? [plainFile(paths.interfaces, supervisordFile(machine.isRoot))] : []),
      ...programs.files,
      plainFile(paths.health, healthFile(resolution, services)),
      ...secrets.values(),
      ...forwarder.files,
    ],
    removed: [
      ...programs.removed,
      ...forwarder.removed,
      ...variables.filter(({ inFile }) => inFile).map(({ name }) => secretPath(name, paths)),
    ],
    environment: environmentFor(resolution, services, { secrets, rendered, path: path.value }),
    warnings: [
      ...resolution.warnings,
      ...path.warnings,
      ...forwarder.warnings,
      ...made.warnings,
      ...asOthers.map(
        ({ name, user }) => `${name} runs as the user of init: there is no user ${user} here, or init is not root`,
      ),
      ...texts("warning"),
    ],
    missing: [
      ...forwarder.missing,
      ...texts("missing"),
      ...missingPrograms(services, { path: path.folders, isExecutable: machine.isExecutable }),
    ],
    errors: [...resolution.errors, ...made.errors],
  };
}

interface ForServices {
  readonly secrets: ReadonlyMap<string, PlannedFile>;
  readonly rendered: string;
  readonly path: string | undefined;
}

/** What the services are to see, where it differs from what init sees. */
function environmentFor(
  resolution: Resolution,
  services: readonly Service[],
  { secrets, rendered, path }: ForServices,
): Map<string, string | undefined> {
  const environment = new Map<string, string | undefined>();
  for (const name of resolution.removed) environment.set(name, undefined);
  for (const { name, value } of resolution.settings.values()) environment.set(name, secrets.get(name)?.path ?? value);
  environment.set("SERVICE_LOGSTASH_FORWARDER_CONF", rendered);
  if (path !== undefined) environment.set("PATH", path);
  for (const service of services) {
    if (!service.enabled || service.own !== undefined) continue;
    for (const [name, character] of Object.entries(service.rendered.environment)) environment.set(name, character);
  }
  const watchdog = services.find(({ name, enabled, listener }) => name === "redpill" && enabled && listener);
  const cleanup = resolution.settings.get("SERVICE_REDPILL_CLEANUP")?.value ?? "";
  // For /init.sh, which keeps it to itself.
  if (watchdog !== undefined && cleanup !== "") environment.set("INIT_CLEANUP", cleanup);
  return environment;
}

/** Where the services' programs and those that they call lie. */
const FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin"];

/** PATH as the services get it: a file that sets its own and forgets the rest must not take every program away. */
function searchPath(
  resolution: Resolution,
  { root }: Paths,
): { readonly value: string | undefined; readonly folders: readonly string[]; readonly warnings: readonly string[] } {
  const given = resolution.environmentValue("PATH") ?? "";
  const has = given.split(":").filter(Boolean);
  const lacking = FOLDERS.filter((folder) => !has.includes(folder));
  const rooted = root === "" ? [] : [`${root}/usr/local/bin`];
  const folders = [...rooted, ...has, ...lacking];
  if (!lacking.includes("/usr/bin") && (root !== "" || !lacking.includes("/usr/local/bin")))
    return { value: undefined, folders: [...rooted, ...has], warnings: [] };
  const value = [...has, ...lacking].join(":");
  return {
    value,
    folders,
    warnings: [`PATH=${given} has no ${lacking.join(" and no ")}: added at its end, for the services`],
  };
}
