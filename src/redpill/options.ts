import { parseDuration } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import { defineFlags, flag, renamedFrom } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import { list, text } from "../config/kinds.ts";
import { loadFlags, problemsText } from "../config/parse.ts";
import { unixGrammar } from "../config/words.ts";

export const HELP = `Redpill - Supervisor status monitor. Terminates the supervisor process if any specified service enters a FATAL state.

-c | --cleanup    Optional path to cleanup script that should be executed upon exit.
-h | --help       This help text.
-i | --interval   Optional interval at which the service check is performed: seconds, or a duration as 1mins. (Default: 30)
-s | --service    A comma delimited list of the supervisor service names that should be monitored: a program,
                  group:name or group:*. May be given more than once.
     --version    The version.

Exit codes: 0 stopped on purpose; 64 wrong flag; 65 no service given; 66 supervisord does not know a service;
69 supervisord cannot be reached; 70 a service is FATAL; 71 a service is in a crash loop; 72 a service ended.`;

export const EXIT_USAGE = 64;
export const EXIT_NO_SERVICE = 65;
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

  constructor(exitCode: number, message: string, fix: string | undefined) {
    super(message, fix);
    this.exitCode = exitCode;
  }
}

function wholeNumber(name: string, text: string | undefined, fallback: number, minimum: number): number {
  if (text === undefined || text === "") return fallback;
  if (/^\d{1,7}$/.test(text) && Number(text) >= minimum) return Number(text);
  throw new UsageError(
    EXIT_USAGE,
    `${name}: '${text}' is not a whole number of at least ${minimum}`,
    `give one, or leave it out for ${fallback}`,
  );
}

const flags = defineFlags({
  cleanup: flag(text, { summary: "A script to run at the end.", short: "c" }),
  // As the documentation of the old image spells it.
  interval: flag(text, { summary: "How often is looked.", short: "i", aliases: renamedFrom("inerval") }),
  service: flag({ ...list, repeats: true }, { summary: "What is watched.", short: "s" }),
  ...helpFlags,
});

function parse(words: readonly string[]) {
  const loaded = loadFlags(flags, { words, grammar: unixGrammar, readFile: () => "" });
  if (!loaded.ok && !loaded.flags.values.help)
    throw new UsageError(EXIT_USAGE, problemsText(loaded.problems), undefined);
  return loaded.flags.values;
}

/** Seconds, as the old program took them, or a duration; in milliseconds. */
function interval(text: string | undefined): number {
  if (text !== undefined && /[a-z]/.test(text)) {
    try {
      const milliseconds = parseDuration(text);
      if (milliseconds >= 1000) return milliseconds;
    } catch {
      // Said below, with both ways to write it.
    }
  }
  return wholeNumber("--interval", text, 30, 1) * 1000;
}

/** The command line and SERVICE_REDPILL_* settings that have no flag; "help" or "version" when that was asked for. */
export function optionsOf(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Options | "help" | "version" {
  const given = parse(words);
  if (given.help) return "help";
  if (given.version) return "version";
  const services = (given.service ?? []).map((name) => name.trim()).filter(Boolean);
  if (services.length === 0)
    throw new UsageError(EXIT_NO_SERVICE, "no service to watch", "name one: --service mesos (SERVICE_REDPILL_MONITOR)");
  const setting = (name: string, fallback: number, minimum: number): number =>
    wholeNumber(name, environment[name], fallback, minimum);
  return {
    services,
    interval: interval(given.interval),
    cleanup: given.cleanup === "" ? undefined : given.cleanup,
    cleanupTimeout: setting("SERVICE_REDPILL_CLEANUP_TIMEOUT", 30, 1) * 1000,
    restarts: setting("SERVICE_REDPILL_RESTARTS", 20, 0),
    window: setting("SERVICE_REDPILL_WINDOW", 300, 1) * 1000,
    exited: setting("SERVICE_REDPILL_EXITED", 10, 0) * 1000,
  };
}
