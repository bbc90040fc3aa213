import { basename } from "node:path";
import { formatBytes } from "../base/bytes.ts";
import { nearest } from "../base/nearest.ts";
import { printable } from "./boot-block.ts";
import { firstWord } from "./command.ts";
import type { MachineFacts, SocketState } from "./machine.ts";
import type { OwnPrograms } from "./own-programs.ts";
import type { Resolution, Setting } from "./resolve.ts";
import type { Service } from "./services.ts";
import { variables } from "./variables.ts";

/** Something about the settings that will not work as meant. */
export interface Complaint {
  /** `missing`: nothing will work until it changes, so --check fails; `warning`: it may be meant. */
  readonly weight: "warning" | "missing";
  readonly text: string;
}

export interface ComplaintInput {
  readonly resolution: Resolution;
  readonly services: readonly Service[];
  readonly own: OwnPrograms;
  readonly facts: MachineFacts;
}

const warning = (text: string): Complaint => ({ weight: "warning", text });
const missing = (text: string): Complaint => ({ weight: "missing", text });

/** Where in Docker's command line a thing is mended, or outside of a container the plain words. */
const fixed = ({ isContainer }: MachineFacts, inContainer: string, outside: string): string =>
  isContainer ? inContainer : outside;

const isGiven = ({ origin }: Setting): boolean => origin === "environment" || origin === "init file";

/** Values that a shell, had there been one, would have made something else of: env files and YAML keep them as they are. */
function unexpanded({ resolution }: ComplaintInput): Complaint[] {
  const commands = new Set(variables.filter(({ command }) => command).map(({ name }) => name));
  return [...resolution.settings.values()].flatMap((setting) => {
    const { name, value, shown } = setting;
    if (!isGiven(setting) || commands.has(name) || name === "MESOS_HOSTNAME") return [];
    if (/^(["']).*\1$/s.test(value))
      return [warning(`${name}=${shown}: the quotes are part of the value (an env file keeps them): write it without`)];
    if (value.trim() === "") return [warning(`${name} holds nothing but blanks: give it a value, or unset it`)];
    if (/^\s|\s$/.test(value))
      return [
        warning(
          `${name}=${printable(shown)}: blanks or a line end around the value are part of it (an env file from Windows ends its lines with \\r): write it without`,
        ),
      ];
    if (value === shown && /\$\(|`|\$\{?[A-Za-z_]/.test(value))
      return [warning(`${name}=${shown}: no shell expanded this (an env file does not): write the value itself`)];
    return [];
  });
}

/** A name or an address that others can use to find the node. */
const HOST = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;

function hostName({ resolution }: ComplaintInput): Complaint[] {
  const name = resolution.settings.get("MESOS_HOSTNAME")?.value;
  if (name === undefined || (HOST.test(name) && name.length <= 255)) return [];
  const why = /["']/.test(name)
    ? "the quotes are part of it"
    : /[$`]/.test(name)
      ? "no shell expanded it"
      : "it has other characters than letters, digits, dots and dashes";
  return [missing(`MESOS_HOSTNAME=${name}: it cannot be a host name (${why}): write the name or address itself`)];
}

function master({ resolution, services }: ComplaintInput): Complaint[] {
  const agent = services.find(({ name }) => name === "mesos");
  const isOurs = ["mesos-slave", "mesos-agent"].includes(basename(firstWord(agent?.command ?? "")));
  if (resolution.settings.has("MESOS_MASTER") || !isOurs || /\s--master[=\s]/.test(agent?.command ?? "")) return [];
  return [
    missing(
      "MESOS_MASTER is not set: the agent will not start without it: host:port, zk://host:2181/mesos, or local for a development master",
    ),
  ];
}

/** `host:port`, `[::1]:port`. */
const SERVER = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):(\d{1,5})$/;

function addresses({ resolution, services }: ComplaintInput): Complaint[] {
  if (!services.some(({ name, enabled }) => name === "logstash-forwarder" && enabled)) return [];
  const given = resolution.settings.get("SERVICE_LOGSTASH_FORWARDER_ADDRESS")?.value ?? "";
  const servers = given.split(",").map((each) => each.trim());
  return servers.filter(Boolean).flatMap((server) => {
    const port = Number(SERVER.exec(server)?.[1] ?? 0);
    if (port > 0 && port < 65_536) return [];
    const why = /^\w+:\/\//.test(server)
      ? "is a URL"
      : /:[^:]*$/.test(server) && !/:\d+$/.test(server)
        ? "has a port that is no number"
        : port >= 65_536
          ? "has a port above 65535"
          : "has no port";
    return [missing(`SERVICE_LOGSTASH_FORWARDER_ADDRESS: ${server} ${why}: write host:port, as logstash.example:5043`)];
  });
}

/** Variables that name a file which must be there, and when. */
const FILES: readonly { readonly name: string; readonly of?: Service["name"]; readonly what: string }[] = [
  { name: "SERVICE_LOGSTASH_FORWARDER_CERT", of: "logstash-forwarder", what: "certificate" },
  { name: "SERVICE_REDPILL_CLEANUP", of: "redpill", what: "clean-up script" },
  { name: "MESOS_CREDENTIAL", what: "credential" },
  { name: "MESOS_HTTP_CREDENTIALS", what: "credentials" },
  { name: "MESOS_DOCKER_CONFIG", what: "configuration" },
  { name: "LIBPROCESS_SSL_CERT_FILE", what: "certificate" },
  { name: "LIBPROCESS_SSL_KEY_FILE", what: "key" },
  { name: "LIBPROCESS_SSL_CA_FILE", what: "authority" },
];

function files({ resolution, services, facts }: ComplaintInput): Complaint[] {
  return FILES.flatMap(({ name, of, what }) => {
    const path = resolution.environmentValue(name)?.replace(/^file:\/\//, "");
    const wanted = of === undefined || services.some((service) => service.name === of && service.enabled);
    if (!wanted || !path?.startsWith("/")) return [];
    const kind = facts.kindOf(path);
    if (kind === "file" || kind === "other") return [];
    const state =
      kind === undefined
        ? "is not there"
        : `is a folder${fixed(facts, " (Docker makes one where a mounted file is missing)", "")}`;
    const fix = fixed(
      facts,
      `mount it: -v ${path}:${path}:ro, and see that it is there on the host`,
      "put it there, or correct the path",
    );
    return [missing(`${name}=${path}: the ${what} ${state}: ${fix}`)];
  });
}

/** The file of the authority in a rendered configuration; one that a variable names is the forwarder's to look for. */
function authorityOf(rendered: string): string | undefined {
  const { network } = JSON.parse(rendered) as { readonly network?: Readonly<Record<string, unknown>> };
  const path = network?.["ssl ca"];
  const isSecured = !["false", false].some((off) => network?.["ssl enabled"] === off);
  return isSecured && typeof path === "string" && /^\/[^$]+$/.test(path) ? path : undefined;
}

/** The authority that the rendered configuration names, where no variable does. */
export function authority(
  renderedFiles: readonly { readonly text: string }[],
  resolution: Resolution,
  facts: MachineFacts,
): Complaint[] {
  if (resolution.settings.has("SERVICE_LOGSTASH_FORWARDER_CERT")) return [];
  const named = new Set(renderedFiles.flatMap(({ text }) => authorityOf(text) ?? []));
  return [...named].flatMap((path) =>
    facts.kindOf(path) === "file"
      ? []
      : [
          missing(
            `SERVICE_LOGSTASH_FORWARDER_CERT is not set, and the configuration's certificate ${path} is not there: set it to ` +
              "the file with Logstash's authority, or mount it there",
          ),
        ],
  );
}

function workDir({ resolution, facts }: ComplaintInput): Complaint[] {
  const path = resolution.settings.get("MESOS_WORK_DIR")?.value;
  if (path === undefined)
    return [warning("MESOS_WORK_DIR is not set: sandboxes will lie in the container's own layer, and be lost with it")];
  if (!facts.isContainer || !path.startsWith("/") || facts.mountOf(path)?.point !== "/") return [];
  return [
    warning(
      `MESOS_WORK_DIR=${path} is not mounted: sandboxes lie in the container's own layer, are lost with it, and Docker tasks get ` +
        `empty ones: -v ${path}:${path}:rw`,
    ),
  ];
}

function readOnly({ resolution, facts }: ComplaintInput): Complaint[] {
  return ["MESOS_WORK_DIR", "MESOS_LOG_DIR"].flatMap((name) => {
    const path = resolution.settings.get(name)?.value;
    const mount = path?.startsWith("/") ? facts.mountOf(path) : undefined;
    if (path === undefined || mount?.readOnly !== true) return [];
    const where = mount.point === "/" ? "the root file system, which is" : `the mount ${mount.point}, which is`;
    const fix = fixed(
      facts,
      `mount it writable: -v ${path}:${path}:rw`,
      `remount it (mount -o remount,rw ${mount.point}), or use another folder`,
    );
    return [missing(`${name}=${path} lies on ${where} read-only: ${fix}`)];
  });
}

/** What is wrong with Docker's socket at `path`, and its fix. */
export function socketComplaint(facts: MachineFacts, path: string, state: SocketState): string {
  const mount = fixed(facts, `-v ${path}:${path}:rw`, "is dockerd installed and running?");
  const also = "; or MESOS_CONTAINERIZERS=mesos";
  const again = fixed(
    facts,
    "dockerd does not run, or was restarted after this container: restart the container, or mount the folder /var/run instead of the socket",
    "start dockerd",
  );
  const texts: Readonly<Record<SocketState, string>> = {
    answers: "",
    absent: `there is no Docker socket at ${path}: ${mount}${also}`,
    folder:
      `${path} is a folder, not Docker's socket` +
      fixed(
        facts,
        " (Docker makes one where what is mounted does not exist): start dockerd on the host, remove the folder there, make the container anew",
        ": remove it, and start dockerd",
      ),
    "not a socket": `${path} is no socket: ${mount}${also}`,
    refused: `nobody answers at Docker's socket ${path}: ${again}`,
    denied: `Docker's socket ${path} may not be used by this user: run as root`,
  };
  return texts[state];
}

function dockerSocket({ resolution, facts }: ComplaintInput): Complaint[] {
  const wanted = resolution.settings.get("MESOS_CONTAINERIZERS")?.value.split(",") ?? [];
  const { path, state } = facts.dockerSocket ?? { path: "", state: "answers" };
  if (!wanted.some((each) => each.trim() === "docker") || state === "answers") return [];
  return [warning(socketComplaint(facts, path, state))];
}

/** What the node itself needs when idle, and then some. */
const LEAST_MEMORY = 256 * 2 ** 20;
const LEAST_PROCESSES = 256;

function limits({ facts }: ComplaintInput): Complaint[] {
  const { memoryLimit, processLimit } = facts;
  const found: Complaint[] = [];
  if (memoryLimit !== undefined && memoryLimit < LEAST_MEMORY)
    found.push(
      warning(
        `the memory limit of ${formatBytes(memoryLimit)} is too small: agent, forwarder and watchdog need ${formatBytes(LEAST_MEMORY)}, ` +
          `command tasks come on top: ${fixed(facts, "--memory", "raise it")}`,
      ),
    );
  if (processLimit !== undefined && processLimit < LEAST_PROCESSES)
    found.push(
      warning(
        `the limit of ${processLimit} processes is too small (threads count; the failure reads EAGAIN): ` +
          `${fixed(facts, `--pids-limit and --ulimit nproc of at least ${LEAST_PROCESSES}`, `raise it to at least ${LEAST_PROCESSES}`)}`,
      ),
    );
  return found;
}

function user({ facts }: ComplaintInput): Complaint[] {
  if (facts.uid === 0 || !facts.isContainer) return [];
  return [
    missing(
      `this runs as user ${facts.uid}: the container needs root (it sets up services, users and sandboxes): leave --user out; the forwarder runs as a user of its own anyway`,
    ),
  ];
}

function monitored({ resolution, services, own }: ComplaintInput): Complaint[] {
  if (!services.some(({ name, enabled, own: file }) => name === "redpill" && enabled && file === undefined)) return [];
  const known = new Set([...services.filter(({ enabled }) => enabled).map(({ name }) => name), ...own.names]);
  const groups = new Set([...known].map((name) => name.split(":")[0]));
  const members = new Set([...known].map((name) => name.split(":").at(-1)));
  const names = (resolution.settings.get("SERVICE_REDPILL_MONITOR")?.value ?? "").split(",").map((name) => name.trim());
  return names.filter(Boolean).flatMap((name) => {
    // Names within a group may be made by supervisord (numprocs): the group is enough.
    if (name.includes(":") ? groups.has(name.split(":")[0] ?? "") : members.has(name)) return [];
    const near = nearest(name, known);
    const hint = near === undefined ? `there are ${[...known].join(", ")}` : `did you mean ${near}?`;
    return [missing(`SERVICE_REDPILL_MONITOR names ${name}, which no file below conf.d defines: ${hint}`)];
  });
}

/** Docker's own patience, in seconds, less what the container needs around it. */
const PATIENCE = 9;

function ownServices({ services, own }: ComplaintInput): Complaint[] {
  const found = services.flatMap(({ name, own: file, enabled }) => {
    if (file === undefined) return [];
    const off = enabled ? "" : `; it runs although SERVICE_${name.toUpperCase().replaceAll("-", "_")} is disabled`;
    return [
      warning(`${file} is used as it is, instead of init's own: settings of the service ${name} are not in it${off}`),
    ];
  });
  const extra = [...own.stopWaits].filter(([name]) => !services.some((service) => service.name === name));
  const ours = services.filter(({ enabled, own: file }) => enabled && file === undefined);
  const sum =
    ours.reduce((total, { stopWaitSeconds }) => total + stopWaitSeconds, 0) +
    [...own.stopWaits.values()].reduce((total, wait) => total + wait, 0);
  if (own.stopWaits.size === 0 || sum <= PATIENCE) return found;
  const names = (extra.length > 0 ? extra : [...own.stopWaits]).map(([name, wait]) => `${name} (${wait} s)`).join(", ");
  return [
    ...found,
    warning(
      `a stop may take ${sum} s, one service after the other, and Docker kills after 10: give ${names} a stopwaitsecs of 1, or stop with docker stop -t ${sum + 2}`,
    ),
  ];
}

const CHECKS: readonly ((input: ComplaintInput) => Complaint[])[] = [
  user,
  master,
  hostName,
  unexpanded,
  workDir,
  readOnly,
  dockerSocket,
  addresses,
  files,
  monitored,
  ownServices,
  limits,
];

/** Everything about the settings that will not work here as meant, each with the thing and its fix. */
export const complaintsAbout = (input: ComplaintInput): Complaint[] => CHECKS.flatMap((check) => check(input));

/** Those that hold for an agent without the services around it. */
export const complaintsAboutAgent = (input: ComplaintInput): Complaint[] =>
  [hostName, unexpanded, readOnly, files, limits].flatMap((check) => check(input));
