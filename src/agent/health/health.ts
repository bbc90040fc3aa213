import type { HealthPlan } from "./plan.ts";

/*
 *              success                      success
 *   unknown ────────────► healthy ◄──────────────────── failing (n in a row)
 *      │                     │ failure                     ▲   │ failure: n + 1
 *      │ failure after the grace                           │   ▼
 *      └──────────────────────────────────────────────────►┴── n = consecutive_failures: kill, and no more looks
 */
export interface HealthState {
  readonly kind: "unknown" | "healthy" | "failing" | "killed";
  /** Failures in a row that counted. */
  readonly failures: number;
  /** The grace ends with the first success. */
  readonly wasHealthy: boolean;
}

export const healthUnknown: HealthState = { kind: "unknown", failures: 0, wasHealthy: false };

/** Where an agent goes on that knows what the one before it reported: its count of failures went with it. */
export function healthAfter(healthy: boolean | undefined): HealthState {
  if (healthy === undefined) return healthUnknown;
  return { kind: healthy ? "healthy" : "failing", failures: 0, wasHealthy: true };
}

/** What the framework is told: TASK_RUNNING with `healthy`; `killWanted`: the task has to be ended. */
export interface HealthReport {
  readonly healthy: boolean;
  readonly killWanted: boolean;
}

/**
 * The next state after a look, and what to report: the first success and one after a failure, and every failure that
 * counts. `sinceStart`: milliseconds since the checker started.
 */
export function judge(
  state: HealthState,
  isHealthy: boolean,
  sinceStart: number,
  { consecutiveFailures, grace }: Pick<HealthPlan, "consecutiveFailures" | "grace">,
): { readonly state: HealthState; readonly report: HealthReport | undefined } {
  if (state.kind === "killed") return { state, report: undefined };
  if (isHealthy) {
    const isNews = state.kind !== "healthy";
    return {
      state: { kind: "healthy", failures: 0, wasHealthy: true },
      report: isNews ? { healthy: true, killWanted: false } : undefined,
    };
  }
  if (!state.wasHealthy && sinceStart < grace) return { state, report: undefined };
  const failures = state.failures + 1;
  const killWanted = failures >= consecutiveFailures;
  return {
    state: { kind: killWanted ? "killed" : "failing", failures, wasHealthy: state.wasHealthy },
    report: { healthy: false, killWanted },
  };
}
