import type { ProcessInfo } from "../supervisor/supervisor.ts";
import type { SupervisorEvent } from "./events.ts";

/** Why the container must end. The code becomes the container's exit code. */
export interface Verdict {
  /** `group:name`, or just the name when they are the same. */
  readonly service: string;
  readonly code: number;
  readonly reason: string;
}

const EXIT_FATAL = 70;
const EXIT_CRASH_LOOP = 71;
const EXIT_EXITED = 72;

export interface WatchRules {
  /** `program`, `group:name` or `group:*`. */
  readonly services: readonly string[];
  /** So many unexpected ends within `window` milliseconds are a crash loop; 0: never. */
  readonly restarts: number;
  readonly window: number;
  /** Milliseconds that a service may stay EXITED; 0: for ever. */
  readonly exited: number;
}

interface Watched {
  /** When it ended unexpectedly, oldest first. */
  ends: number[];
  /** Since when it is EXITED and not restarted. */
  exitedSince: number | undefined;
  /** The start that the last poll saw, and since when every poll has seen another one. */
  start: number | undefined;
  restartingSince: number | undefined;
}

/** How supervisord names a process: `group:name`, or the name alone for a group of one. */
export const fullName = (group: string, name: string): string => (group === name ? name : `${group}:${name}`);

export function matches(pattern: string, group: string, name: string): boolean {
  const [wantedGroup = "", wantedName] = pattern.split(":");
  if (wantedName === undefined) return name === pattern || (group === pattern && group === name);
  return group === wantedGroup && (wantedName === "*" || wantedName === name);
}

/**
 * Decides, from events and polls, whether a watched service has failed. Three ways to fail: FATAL; a crash loop that
 * supervisord never calls FATAL, because each life outlasts startsecs; an exit with code 0 that it does not restart.
 * A service that somebody stopped by hand has not failed. Times are milliseconds of one clock.
 */
export class Watch {
  readonly #rules: WatchRules;
  readonly #services: string[];
  readonly #watched = new Map<string, Watched>();

  constructor(rules: WatchRules) {
    this.#rules = rules;
    this.#services = [...rules.services];
  }

  /** From now on `service` is watched as well. */
  add(service: string): void {
    this.#services.push(service);
  }

  #state(name: string): Watched {
    let state = this.#watched.get(name);
    if (state === undefined) {
      state = { ends: [], exitedSince: undefined, start: undefined, restartingSince: undefined };
      this.#watched.set(name, state);
    }
    return state;
  }

  watches(group: string, name: string): boolean {
    return this.#services.some((pattern) => matches(pattern, group, name));
  }

  /** Patterns that no process of supervisord matches. */
  unknown(processes: readonly ProcessInfo[]): string[] {
    return this.#services.filter((pattern) => !processes.some(({ group, name }) => matches(pattern, group, name)));
  }

  event(event: SupervisorEvent, now: number): Verdict | undefined {
    if (!this.watches(event.group, event.process)) return undefined;
    const name = fullName(event.group, event.process);
    const state = this.#state(name);
    switch (event.name) {
      case "PROCESS_STATE_FATAL":
        return fatal(name, "");
      case "PROCESS_STATE_EXITED":
        state.exitedSince = now;
        return event.expected ? undefined : this.#ended(name, state, now);
      default:
        state.exitedSince = undefined;
        return undefined;
    }
  }

  #ended(name: string, state: Watched, now: number): Verdict | undefined {
    const { restarts, window } = this.#rules;
    if (restarts === 0) return undefined;
    state.ends = [...state.ends.filter((end) => now - end < window), now];
    return state.ends.length >= restarts ? crashLoop(name, `${state.ends.length} times`, window) : undefined;
  }

  poll(processes: readonly ProcessInfo[], now: number): Verdict | undefined {
    for (const process of processes) {
      if (!this.watches(process.group, process.name)) continue;
      const verdict = this.#look(process, now);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  #look(process: ProcessInfo, now: number): Verdict | undefined {
    const name = fullName(process.group, process.name);
    const state = this.#state(name);
    if (process.state === "FATAL") return fatal(name, process.spawnError);
    if (process.state !== "EXITED") state.exitedSince = undefined;
    else {
      state.exitedSince ??= now;
      const { exited } = this.#rules;
      if (exited > 0 && now - state.exitedSince >= exited) {
        const reason = `${name} ended with exit code ${process.exitStatus} and is not restarted`;
        return { service: name, code: EXIT_EXITED, reason };
      }
    }
    return this.#compareStarts(name, state, process, now);
  }

  /** Without events: a service that every poll of a whole window finds restarted is in a crash loop. */
  #compareStarts(name: string, state: Watched, process: ProcessInfo, now: number): Verdict | undefined {
    const restarted = state.start !== undefined && process.start !== state.start && process.state !== "STOPPED";
    state.restartingSince = restarted ? (state.restartingSince ?? now) : undefined;
    state.start = process.start;
    const { restarts, window } = this.#rules;
    if (restarts === 0 || state.restartingSince === undefined || now - state.restartingSince < window) return undefined;
    return crashLoop(name, "again and again", window);
  }

  /** When an EXITED service will count as failed, if one is waiting for that: a poll is due then. */
  nextDeadline(): number | undefined {
    if (this.#rules.exited === 0) return undefined;
    const since = [...this.#watched.values()].flatMap(({ exitedSince }) => exitedSince ?? []);
    return since.length === 0 ? undefined : Math.min(...since) + this.#rules.exited;
  }
}

function fatal(service: string, spawnError: string): Verdict {
  const why = spawnError === "" ? "" : ` (${spawnError})`;
  return { service, code: EXIT_FATAL, reason: `${service} entered the FATAL state${why}` };
}

function crashLoop(service: string, often: string, window: number): Verdict {
  return { service, code: EXIT_CRASH_LOOP, reason: `${service} ended ${often} within ${window / 1000} s` };
}
