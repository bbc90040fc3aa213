import type { UserError } from "../base/errors.ts";
import { checkCommand, commandOf, firstWord, type RenderedCommand, renderCommand } from "./command.ts";
import type { Paths } from "./paths.ts";
import type { Resolution } from "./resolve.ts";

export type ServiceName = "mesos" | "logstash-forwarder" | "redpill";

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
}

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
  readonly errors: readonly UserError[];
}

/**
 * The three services as resolved. `forwarderConfiguration` is the rendered copy that the forwarder is to read.
 */
export function servicesOf(resolution: Resolution, paths: Paths, forwarderConfiguration: string): Services {
  const value = (name: string): string => resolution.settings.get(name)?.value ?? "";
  const enabled = (name: string): boolean => value(name) === "enabled";
  const errors: UserError[] = [];
  const command = (name: ServiceName, built: () => string): string => {
    const own = value(COMMANDS[name]);
    if (own === "") return built();
    return own;
  };
  const service = (row: Omit<Service, "rendered">): Service => {
    const problem = row.enabled
      ? checkCommand(COMMANDS[row.name], row.command, (name) => value(name) !== "" || resolution.inherited(name))
      : undefined;
    if (problem !== undefined) errors.push(problem);
    return { ...row, rendered: renderCommand(row.command) };
  };
  const redpill = command("redpill", () => redpillCommand(value, paths));
  const services = [
    service({
      name: "mesos",
      enabled: true,
      command: command("mesos", () => "mesos-slave"),
      priority: 300,
      stopWaitSeconds: 3,
      listener: false,
    }),
    service({
      name: "logstash-forwarder",
      enabled: enabled("SERVICE_LOGSTASH_FORWARDER"),
      command: command("logstash-forwarder", () => commandOf([paths.forwarder, `-config=${forwarderConfiguration}`])),
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
  return { services, errors };
}
