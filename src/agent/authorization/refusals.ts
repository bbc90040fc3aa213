import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { RateLimitedWarnings } from "../../libprocess/rate-limited-warnings.ts";
import { type Subject, subjectText } from "./subject.ts";

export interface RefusalsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** A refusal is counted. */
  readonly count: (name: "slave/requests_unauthenticated" | "slave/requests_forbidden") => void;
}

/** Longest text of an object in a line: it may come from anybody. */
const LONGEST = 300;

/** What was refused, to whom: one line each at a bounded rate, and two counters. */
export class Refusals {
  readonly #warnings: RateLimitedWarnings;
  readonly #count: RefusalsOptions["count"];

  constructor({ log, clock, count }: RefusalsOptions) {
    this.#warnings = new RateLimitedWarnings(log, clock);
    this.#count = count;
  }

  forbidden(subject: Subject, action: string, object: string | undefined): void {
    this.#count("slave/requests_forbidden");
    const on = object === undefined ? "" : ` on ${JSON.stringify(object.slice(0, LONGEST))}`;
    this.#warnings.warn(`Refusing ${subjectText(subject)} the action ${action}${on}`);
  }

  /** Nothing of what was shown is told: it may be a password with one letter wrong. */
  unauthenticated(realm: string, from: string | undefined, why: string): void {
    this.#count("slave/requests_unauthenticated");
    this.#warnings.warn(`Refusing a request from ${from ?? "an unknown address"} in the realm ${realm}: ${why}`);
  }
}
