import { parseSeconds } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import { defineFlags, flag, renamedFrom } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import type { FlagKind } from "../config/kinds.ts";
import * as kinds from "../config/kinds.ts";

function secondsIn(given: string): number {
  try {
    return Math.ceil(parseSeconds(given));
  } catch {
    return Number.NaN;
  }
}

/** At least `minimum` seconds: a number, as the old script took it, or a duration. The value is whole seconds. */
export function secondsFrom(minimum: number): FlagKind<number> {
  return {
    ...kinds.duration,
    name: "seconds",
    parse(given) {
      const seconds = secondsIn(given);
      if (seconds >= minimum && seconds <= 9_999_999) return seconds;
      throw new UserError(`'${given}' is not a whole number of at least ${minimum}`, "write seconds, or 30secs, 5mins");
    },
    print: String,
  };
}

/** redpill's command line. */
export const redpillFlags = defineFlags({
  ...helpFlags,
  cleanup: flag(kinds.text, {
    summary: "Optional path to cleanup script that should be executed upon exit.",
    short: "c",
  }),
  interval: flag(secondsFrom(1), {
    summary: "Seconds between two service checks, or a duration.",
    short: "i",
    // As the documentation of the old image spells it.
    aliases: renamedFrom("inerval"),
    default: 30,
  }),
  service: flag(kinds.list, {
    summary: "The services that should be monitored.",
    short: "s",
  }),
});
