import type { Clock, Timer } from "./clock.ts";
import { UserError } from "./errors.ts";

/** The switch of verbose log lines. */
export interface LogSwitch {
  verbosity: number;
}

/** Milliseconds. */
const LONGEST = 24 * 3_600_000;
const HIGHEST = 100;

/** Raises the level of verbose lines for a while, then puts it back: /logging/toggle and SET_LOGGING_LEVEL, of agents and masters. */
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
