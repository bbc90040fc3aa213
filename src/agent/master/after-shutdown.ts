import { atLeast } from "../../mesos/version.ts";

/** Until then agents removed `meta/slaves/latest` when they were shut down, and masters counted on it. */
const KEEPS_ITS_ID = "1.5.0";

/**
 * Whether an agent that this master shut down, or that unregistered from it, starts as a new one the next time
 * (mesos-wire §3.9). Masters before 1.1 never take a removed id back: an agent that kept it would be shut down at each
 * start, for ever. `why`: what the master wrote, for one whose version is not known.
 */
export const comesBackAsNew = (masterVersion: string | undefined, why: string): boolean =>
  masterVersion ? !atLeast(masterVersion, KEEPS_ITS_ID) : /re-?register after removal/i.test(why);
