import { messageOf, UserError } from "../base/errors.ts";
import * as kinds from "../config/kinds.ts";
import { loadFlags } from "../config/parse.ts";
import { unixGrammar } from "../config/words.ts";
import { redpillFlags, secondsFrom } from "./flags.ts";

export const HELP = `Redpill - Supervisor status monitor. Terminates the supervisor process if any specified service enters a FATAL state.

-c | --cleanup    Optional path to cleanup script that should be executed upon exit.
-h | --help       This help text.
-i | --interval   Optional interval at which the service check is performed in seconds, or as 30secs, 5mins. (Default: 30)
-s | --service    A comma delimited list of the supervisor service names that should be monitored: a program,
                  group:name or group:*. May be given more than once.
     --version    The version.

Exit codes: 0 stopped on purpose; 64 wrong flag; 65 no service given; 66 supervisord does not know a service;
69 supervisord cannot be reached; 70 a service is FATAL; 71 a service is in a crash loop; 72 a service ended.`;

export const EXIT_USAGE = 64;
const EXIT_NO_SERVICE = 65;
export const EXIT_UNKNOWN_SERVICE = 66;
export const EXIT_UNREACHABLE = 69;

export interface Options {
  readonly services: readonly string[];
  /** Milliseconds. */
  readonly interval: number;
  readonly cleanup: string | undefined;
  /** Milliseconds that the clean-up may take after a failure. */
  readonly cleanupTimeout: number;
  readonly restarts: number;
  /** Milliseconds. */
  readonly window: number;
  /** Milliseconds; 0 for never. */
  readonly exited: number;
}

/** A mistake on the command line, with the exit code that says which. */
export class UsageError extends UserError {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, fix: string) {
    super(message, fix);
    this.exitCode = exitCode;
  }
}

/** A setting of the environment; the fallback when it is not set. */
function setting(name: string, text: string | undefined, fallback: number, parse: (text: string) => number): number {
  if (text === undefined || text === "") return fallback;
  try {
    return parse(text);
  } catch (error) {
    const why = error instanceof UserError ? error.message : messageOf(error);
    throw new UsageError(EXIT_USAGE, `${name}: ${why}`, `give one, or leave it out for ${fallback}`);
  }
}

/**
 * The command line and SERVICE_REDPILL_* settings that have no flag; "help" or "version" when that was asked for. The container's
 * own watchdog (`isListener`) takes from the settings what its command line leaves out.
 */
export function optionsOf(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  isListener = false,
): Options | "help" | "version" {
  const loaded = loadFlags(redpillFlags, { words, grammar: unixGrammar, readFile: String });
  const { values, origins } = loaded.flags;
  if (values.help) return "help";
  if (values.version) return "version";
  if (!loaded.ok) {
    const [problem] = loaded.problems;
    const message = problem?.message.replace(/flag '([\w-]+)'/, "flag --$1") ?? "";
    throw new UsageError(EXIT_USAGE, message, problem?.fix ?? "--help lists the flags");
  }
  const left = (flag: string, name: string): string | undefined =>
    isListener && !origins.has(flag) ? environment[name] || undefined : undefined;
  const lists = values.service ?? left("service", "SERVICE_REDPILL_MONITOR")?.split(",") ?? [];
  const services = lists.map((name) => name.trim()).filter(Boolean);
  if (services.length === 0)
    throw new UsageError(EXIT_NO_SERVICE, "no service to watch", "name one: --service mesos (SERVICE_REDPILL_MONITOR)");
  const seconds = (name: string, fallback: number, minimum: number): number =>
    setting(name, environment[name], fallback, secondsFrom(minimum).parse) * 1000;
  const interval = left("interval", "SERVICE_REDPILL_INTERVAL");
  const cleanup = values.cleanup ?? left("cleanup", "SERVICE_REDPILL_CLEANUP");
  return {
    services,
    interval: setting("SERVICE_REDPILL_INTERVAL", interval, values.interval, secondsFrom(1).parse) * 1000,
    cleanup: cleanup === "" ? undefined : cleanup,
    cleanupTimeout: seconds("SERVICE_REDPILL_CLEANUP_TIMEOUT", 30, 1),
    restarts: setting(
      "SERVICE_REDPILL_RESTARTS",
      environment["SERVICE_REDPILL_RESTARTS"],
      20,
      kinds.integer(0, 9_999_999).parse,
    ),
    window: seconds("SERVICE_REDPILL_WINDOW", 300, 1),
    exited: seconds("SERVICE_REDPILL_EXITED", 10, 0),
  };
}
