import { create, equals } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../base/clock.ts";
import { CheckInfo_Type, type CheckStatusInfo, CheckStatusInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type HealthReport, healthAfter, judge } from "./health.ts";
import type { HealthPlan, Probe, Schedule } from "./plan.ts";
import { look, type ProbeMeans, type Sight, verdict } from "./probing.ts";

export interface CheckerOptions {
  readonly clock: Clock;
  readonly means: ProbeMeans;
}

/** A check that goes on until it is stopped. */
export interface Checking {
  /** No looks until `resume`; one that is under way still counts. */
  pause(): void;
  resume(): void;
  stop(): void;
}

function repeat(
  { clock, means }: CheckerOptions,
  probe: Probe,
  { delay, interval, timeout }: Schedule,
  seen: (sight: Sight) => void,
): Checking {
  let timer: Timer | undefined;
  let state: "on" | "paused" | "stopped" = "on";
  let isLooking = false;
  const arm = (wait: number): void => {
    timer?.cancel();
    timer = clock.after(wait, () => {
      isLooking = true;
      void look(probe, timeout, means, clock).then((sight) => {
        isLooking = false;
        if (state === "stopped") return;
        seen(sight);
        if (state === "on") arm(interval);
      });
    });
  };
  arm(delay);
  return {
    pause() {
      if (state !== "on") return;
      state = "paused";
      timer?.cancel();
    },
    resume() {
      if (state !== "paused") return;
      state = "on";
      if (!isLooking) arm(interval);
    },
    stop() {
      state = "stopped";
      timer?.cancel();
    },
  };
}

/**
 * Watches a task's health. `before`: what was reported of it by an agent before this one, and the milliseconds that it runs
 * already. After a report with `killWanted` there are no more. `why` is set for
 * unhealthy ones.
 */
export function watchHealth(
  plan: HealthPlan,
  options: CheckerOptions,
  report: (report: HealthReport & { readonly why: string }) => void,
  before: { readonly healthy: boolean | undefined; readonly age: number } = { healthy: undefined, age: 0 },
): Checking {
  const begun = options.clock.monotonic() - before.age;
  let state = healthAfter(before.healthy);
  const checking: Checking = repeat(options, plan.probe, plan.schedule, (sight) => {
    const { isHealthy, why } = verdict(plan.probe, sight);
    const judged = judge(state, isHealthy, options.clock.monotonic() - begun, plan);
    state = judged.state;
    if (state.kind === "killed") checking.stop();
    if (judged.report !== undefined) report({ ...judged.report, why: isHealthy ? "" : why });
  });
  return checking;
}

const TYPES = { command: CheckInfo_Type.COMMAND, http: CheckInfo_Type.HTTP, tcp: CheckInfo_Type.TCP } as const;

/** What a look of a generic check says to the framework; nothing seen is the type alone. */
function checkStatus(probe: Probe, sight: Sight): CheckStatusInfo {
  const type = TYPES[probe.kind];
  switch (probe.kind) {
    case "command":
      return create(CheckStatusInfoSchema, {
        type,
        command: sight.kind === "command" ? { exitCode: sight.exitCode } : {},
      });
    case "http":
      return create(CheckStatusInfoSchema, {
        type,
        http: sight.kind === "http" ? { statusCode: sight.statusCode } : {},
      });
    case "tcp":
      return create(CheckStatusInfoSchema, { type, tcp: sight.kind === "tcp" ? { succeeded: sight.succeeded } : {} });
  }
}

/** A generic check: `changed` hears of every status that differs from the one before (`known`). It never ends a task. */
export function watchCheck(
  { probe, schedule }: { readonly probe: Probe; readonly schedule: Schedule },
  options: CheckerOptions,
  changed: (status: CheckStatusInfo) => void,
  known: CheckStatusInfo | undefined = undefined,
): Checking {
  // A task begins with the empty status of its type: seeing nothing is no news then.
  let before = known ?? checkStatus(probe, { kind: "nothing", why: "" });
  return repeat(options, probe, schedule, (sight) => {
    const now = checkStatus(probe, sight);
    if (equals(CheckStatusInfoSchema, now, before)) return;
    before = now;
    changed(now);
  });
}
