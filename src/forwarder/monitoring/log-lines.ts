import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";

export interface LogLineOptions {
  readonly clock: Clock;
  /** Errors only. */
  readonly quiet: boolean;
  /** `verbose` lines up to this level. */
  readonly verbosity: number;
  write(line: string): void;
}

/** Log lines as the old program wrote them: date, time with microseconds, text; warnings and errors say that they are. */
export function lineLogger(options: LogLineOptions): Logger {
  const { clock, quiet, verbosity, write } = options;
  const emit = (label: string, message: string): void => {
    const time = new Date(clock.now()).toISOString().replaceAll("-", "/").replace("T", " ").replace("Z", "000");
    write(`${time} ${label}${message.replaceAll("\n", "\n  ")}\n`);
  };
  const logger: Logger = {
    info: (message) => quiet || emit("", message),
    warn: (message) => quiet || emit("WARNING: ", message),
    error: (message) => emit("ERROR: ", message),
    verbose: (level, message) => quiet || level > verbosity || emit("", message),
    named: () => logger,
  };
  return logger;
}
