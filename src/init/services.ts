import type { UserError } from "../base/errors.ts";
import {
  checkCommand,
  commandOf,
  expandVariables,
  firstWord,
  type Meaning,
  type RenderedCommand,
  renderCommand,
  replacePath,
} from "./command.ts";
import type { ForwarderConfiguration } from "./forwarder-conf.ts";
import type { Paths } from "./paths.ts";
import type { Resolution } from "./resolve.ts";

export const SERVICE_NAMES = ["mesos", "logstash-forwarder", "redpill"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export interface Service {
  readonly name: ServiceName;
  readonly enabled: boolean;
  /** A format string for supervisord. */
  readonly command: string;
  readonly rendered: RenderedCommand;
  readonly priority: number;
  /** Seconds that supervisord waits after TERM. Their sum stays at 8, so that three deaf services fit Docker's 10. */
  readonly stopWaitSeconds: number;
  /** Runs as an event listener of supervisord, not as a plain program. */
  readonly listener: boolean;
  readonly user?: string;
  readonly directory?: string;
  /** The user's own file below conf.d that defines this service: init writes none. */
  readonly own?: string;
}

/** The variable with each service's command. */
const COMMANDS: Readonly<Record<ServiceName, string>> = {
  mesos: "SERVICE_MESOS_CMD",
  "logstash-forwarder": "SERVICE_LOGSTASH_FORWARDER_CMD",
  redpill: "SERVICE_REDPILL_CMD",
};

/** redpill's command line, from its variables. */
function redpillCommand(value: (name: string) => string, paths: Paths): string {
  const flags = ["--service", value("SERVICE_REDPILL_MONITOR"), "--interval", value("SERVICE_REDPILL_INTERVAL")];
  const cleanup = value("SERVICE_REDPILL_CLEANUP");
  return commandOf([paths.redpill, ...flags, ...(cleanup === "" ? [] : ["--cleanup", cleanup])]);
}

export interface Services {
  readonly services: readonly Service[];
  readonly warnings: readonly string[];
  readonly errors: readonly UserError[];
}

export interface ServiceInput {
  readonly resolution: Resolution;
  readonly paths: Paths;
  readonly forwarder: ForwarderConfiguration;
  /** The user's own files that define a service. */
  readonly instead: ReadonlyMap<ServiceName, string>;
  /** What a variable in a command stands for. */
  readonly meaningOf: (name: string) => Meaning | undefined;
}

/** The three services as resolved. */
export function servicesOf({ resolution, paths, forwarder, instead, meaningOf }: ServiceInput): Services {
  const value = (name: string): string => resolution.settings.get(name)?.value ?? "";
  const enabled = (name: string): boolean => value(name) === "enabled";
  const errors: UserError[] = [];
  const warnings: string[] = [];
  const command = (name: ServiceName, isEnabled: boolean, built: () => string): string => {
    const given = value(COMMANDS[name]);
    if (given === "") return built();
    const expanded = expandVariables(COMMANDS[name], given, meaningOf);
    if (isEnabled) warnings.push(...expanded.warnings);
    return expanded.text;
  };
  const service = (row: Omit<Service, "rendered" | "own">): Service => {
    const own = instead.get(row.name);
    const problem =
      row.enabled && own === undefined
        ? checkCommand(COMMANDS[row.name], row.command, (name) => value(name) !== "" || resolution.inherited(name))
        : undefined;
    if (problem !== undefined) errors.push(problem);
    return { ...row, rendered: renderCommand(row.command), ...(own === undefined ? {} : { own, listener: false }) };
  };
  const ships = enabled("SERVICE_LOGSTASH_FORWARDER");
  const given = command("logstash-forwarder", ships, () =>
    commandOf([paths.forwarder, `-config=${forwarder.rendered}`]),
  );
  const shipping = ledToRendered(given, forwarder);
  if (ships && shipping.warning !== undefined) warnings.push(shipping.warning);
  const redpill = command("redpill", enabled("SERVICE_REDPILL"), () => redpillCommand(value, paths));
  const services = [
    service({
      name: "mesos",
      enabled: true,
      command: command("mesos", true, () => "mesos-slave"),
      priority: 300,
      stopWaitSeconds: 3,
      listener: false,
    }),
    service({
      name: "logstash-forwarder",
      enabled: ships,
      command: shipping.command,
      // Started first and stopped last: it ships the last words of the others.
      priority: 100,
      stopWaitSeconds: 2,
      listener: false,
      user: "logstash-forwarder",
      directory: paths.forwarderState,
    }),
    service({
      name: "redpill",
      enabled: enabled("SERVICE_REDPILL"),
      command: redpill,
      priority: 999,
      stopWaitSeconds: 3,
      // The shipped script speaks supervisord's event protocol; a command of the user's own may be anything.
      listener: firstWord(redpill) === paths.redpill,
    }),
  ];
  return { services, warnings, errors };
}

/** `-config` in any of its spellings, with what it names. */
const CONFIG_FLAG = /(?:^|\s)--?(?:config|cofig)(?:=|\s+)["']?([^\s"']+)/;

/**
 * A forwarder's command that names the configuration by its own path gets the rendered copy, which has the settings in it. One
 * that names another file goes without them, which is said.
 */
function ledToRendered(
  command: string,
  { source, rendered }: ForwarderConfiguration,
): { readonly command: string; readonly warning?: string } {
  const led = replacePath(command, source, rendered);
  const named = CONFIG_FLAG.exec(led)?.[1];
  if (named === undefined || named === rendered || named.includes("SERVICE_LOGSTASH_FORWARDER_CONF"))
    return { command: led };
  return {
    command: led,
    warning:
      `SERVICE_LOGSTASH_FORWARDER_CMD reads ${named}, which goes without SERVICE_LOGSTASH_FORWARDER_ADDRESS and _CERT, APP_NAME, ` +
      'ENVIRONMENT and PARENT_HOST: name the file in SERVICE_LOGSTASH_FORWARDER_CONF, and write -config="$SERVICE_LOGSTASH_FORWARDER_CONF"',
  };
}
