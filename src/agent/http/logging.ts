import type { Clock, Timer } from "../../base/clock.ts";
import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { type Answer, text } from "../../http/answer.ts";
import type { Query } from "../../http/query.ts";
import type { LogSwitch } from "./view.ts";

const LONGEST = 24 * 3_600_000;
const HIGHEST = 100;

/** Raises the level of verbose lines for a while, then puts it back: /logging/toggle and SET_LOGGING_LEVEL. */
export class LoggingLevel {
  readonly #log: LogSwitch;
  readonly #clock: Clock;
  readonly #original: number;
  #timer: Timer | undefined;

  constructor(log: LogSwitch, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#original = log.verbosity;
  }

  get level(): number {
    return this.#log.verbosity;
  }

  /** `duration` in milliseconds. Throws a UserError for a level below the one of the start. */
  set(level: number, duration: number): void {
    if (level < this.#original || level > HIGHEST)
      throw new UserError(`Invalid level ${level}: it must be from ${this.#original} to ${HIGHEST}`);
    if (duration > LONGEST) throw new UserError("The duration is longer than a day");
    this.#timer?.cancel();
    this.#log.verbosity = level;
    this.#timer = this.#clock.after(duration, () => {
      this.#timer = undefined;
      this.#log.verbosity = this.#original;
    });
  }

  /** Puts the level back at once. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#log.verbosity = this.#original;
  }
}

/** /logging/toggle. Mesos changes the level by GET, too: so do programs here, but no browser that does not say where it comes from. */
export function toggle(logging: LoggingLevel, query: Query, mayChange: boolean): Answer {
  const [level, duration] = [query("level"), query("duration")];
  if (level === undefined && duration === undefined) return text(200, `${logging.level}\n`);
  if (level === undefined) return text(400, "Expecting 'level=value' in query.\n");
  if (duration === undefined) return text(400, "Expecting 'duration=value' in query.\n");
  if (!mayChange) return text(403, "A browser changes the level by POST, or at this agent's own address only.\n");
  if (!/^-?\d{1,6}$/.test(level)) return text(400, `Invalid level '${level}'.\n`);
  try {
    logging.set(Number(level), parseDuration(duration));
  } catch (error) {
    if (error instanceof UserError) return text(400, `${error.message}.\n`);
    throw error;
  }
  return text(200, "");
}
