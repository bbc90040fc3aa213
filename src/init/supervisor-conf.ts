import type { Paths } from "./paths.ts";
import type { Service } from "./services.ts";

export interface ProgramOptions {
  readonly startSeconds: number;
  readonly startRetries: number;
  /** Variables that hold secrets. */
  readonly secrets: readonly string[];
  /** What a service sees instead of what supervisord sees. */
  readonly seesInstead: (service: Service) => readonly (readonly [name: string, value: string])[];
  /** The user exists and this process may become it. */
  readonly mayRunAs: (user: string) => boolean;
}

/** How every file begins that init writes for supervisord: any other is the user's own. */
export const WRITTEN_BY_INIT = "; Written by init at every start.";

/** A value that ends at the end of the line, whatever it holds: what cannot be written stands for itself in `%%`. */
const escaped = (value: string): string => value.replaceAll("%", "%%");

/** What `supervisorctl tail` reads: 1 MB and one older file; the console copy is made beside it. */
function outputLines(paths: Paths, name: string, channel: "stdout" | "stderr"): string[] {
  const suffix = channel === "stdout" ? "out" : "err";
  return [
    `${channel}_logfile=${paths.serviceLogsForSupervisord}/${name}.${suffix}.log`,
    `${channel}_logfile_maxbytes=1MB`,
    `${channel}_logfile_backups=1`,
  ];
}

/** The file of conf.d for one service. */
export function programFile(service: Service, paths: Paths, options: ProgramOptions): string {
  const lines = [
    WRITTEN_BY_INIT,
    `[${service.listener ? "eventlistener" : "program"}:${service.name}]`,
    `command=${service.rendered.text}`,
    `priority=${service.priority}`,
    "autostart=true",
    "autorestart=unexpected",
    // A listener must speak the protocol at once; a longer wait would delay the first event.
    `startsecs=${service.listener ? 1 : options.startSeconds}`,
    `startretries=${options.startRetries}`,
    "stopsignal=TERM",
    `stopwaitsecs=${service.stopWaitSeconds}`,
  ];
  const environment = [...options.seesInstead(service)];
  if (service.listener) environment.push(["REDPILL_LISTENER", "1"]);
  if (service.user !== undefined && options.mayRunAs(service.user)) {
    lines.push(`user=${service.user}`);
    // What root was told in confidence: emptied, as supervisord cannot take a variable away.
    environment.push(...options.secrets.map((name) => [name, ""] as const));
  }
  if (environment.length > 0)
    lines.push(`environment=${environment.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}`);
  if (service.directory !== undefined) lines.push(`directory=${escaped(service.directory)}`);
  if (service.listener) {
    // Its stdout is the protocol and goes nowhere else.
    lines.push("events=PROCESS_STATE", "buffer_size=1000", "stdout_logfile=NONE");
  } else lines.push(...outputLines(paths, service.name, "stdout"));
  lines.push(...outputLines(paths, service.name, "stderr"));
  return `${lines.join("\n")}\n`;
}

/** Settings of supervisord itself that depend on who runs it. */
export function supervisordFile(isRoot: boolean): string {
  // Without a user it warns at every start that it runs as root; with one it refuses to run as anybody else.
  return `${WRITTEN_BY_INIT}\n[supervisord]\n${isRoot ? "user=root\n" : ""}`;
}
