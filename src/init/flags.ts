import { defineFlags, flag } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import * as kinds from "../config/kinds.ts";

/** The command line of init. */
export const initFlags = defineFlags({
  ...helpFlags,
  boot: flag(kinds.boolean, {
    summary: "Write the configuration and hand the settings to /init.sh over descriptor 3 (what /init.sh does).",
    default: false,
  }),
  "dry-run": flag(kinds.boolean, {
    summary:
      "Print every setting with its origin, secrets masked, and the files that would be written. Writes nothing.",
    default: false,
  }),
  check: flag(kinds.boolean, { summary: "Print what would not work; exit code 1 if there is any.", default: false }),
  json: flag(kinds.boolean, { summary: "--dry-run and --check as JSON.", default: false }),
});

/** The command line of doctor, besides the agent's own flags. */
export const doctorFlags = defineFlags({
  ...helpFlags,
  json: flag(kinds.boolean, { summary: "The findings as JSON.", default: false }),
});
