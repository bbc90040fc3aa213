import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type CheckStatusInfo, TaskStatus_Reason, type TaskStatusSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type CheckerOptions, type Checking, watchCheck, watchHealth } from "../health/checker.ts";
import { planCheck, planHealthCheck } from "../health/plan.ts";
import { withContainerPorts } from "../health/ports.ts";
import { httpStatus, tcpConnect } from "../health/probing.ts";
import type { ExecutorRecord, TaskRecord } from "../model/records.ts";

/** What a check tells: what is new in the task's status, and whether the task is to be killed. */
export interface HealthReport {
  readonly status: Pick<MessageInitShape<typeof TaskStatusSchema>, "healthy" | "checkStatus" | "reason">;
  readonly kill: boolean;
}

/** A task as its checks see it. */
export interface CheckedTask {
  readonly executor: ExecutorRecord;
  readonly task: TaskRecord;
  readonly known: { readonly healthy: boolean | undefined; readonly checkStatus: CheckStatusInfo | undefined };
}

/** Runs the health check and the generic check of tasks. One that makes no sense is told once and not done. */
export class HealthWatch {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #http = httpStatus();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Starts the checks of a task; the function that it returns ends them. `known`: what was reported of it before; only what
   * is new is reported again.
   */
  start({ executor, task, known }: CheckedTask, report: (report: HealthReport) => void): () => void {
    const running: Checking[] = [];
    const begin = (what: string, start: () => Checking): void => {
      try {
        running.push(start());
      } catch (error) {
        this.#log.error(`The ${what} of task ${task.taskId} is not done: ${messageOf(error)}`);
      }
    };
    const options = this.#checkerOptions(executor, task);
    const healthCheck = task.info?.healthCheck ?? task.task.healthCheck;
    if (healthCheck !== undefined) {
      begin("health check", () =>
        watchHealth(
          planHealthCheck(healthCheck),
          options,
          ({ healthy, killWanted, why }) => {
            if (!healthy) this.#log.warn(`Task ${task.taskId} is unhealthy: ${why}`);
            const reason = TaskStatus_Reason.TASK_HEALTH_CHECK_STATUS_UPDATED;
            report({ status: { healthy, reason }, kill: killWanted });
          },
          { healthy: known.healthy, age: this.#ageOf(task) },
        ),
      );
    }
    const check = task.info?.check;
    if (check !== undefined) {
      begin("check", () =>
        watchCheck(
          planCheck(check),
          options,
          (checkStatus) => {
            const reason = TaskStatus_Reason.TASK_CHECK_STATUS_UPDATED;
            report({ status: { checkStatus, reason }, kill: false });
          },
          known.checkStatus,
        ),
      );
    }
    return () => {
      for (const checking of running) checking.stop();
    };
  }

  /** Milliseconds since it was first said to run. */
  #ageOf({ runningSince }: TaskRecord): number {
    return runningSince === undefined ? 0 : Math.max(0, this.#clock.now() - runningSince);
  }

  #checkerOptions(executor: ExecutorRecord, { info, task }: TaskRecord): CheckerOptions {
    const checked = {
      container: info?.container ?? task.container,
      resources: task.resources,
      command: info?.command,
    };
    return {
      clock: this.#clock,
      means: {
        run: (command, timeout) =>
          executor.containerizer?.run(executor.containerId, withContainerPorts(command, checked), timeout) ??
          Promise.reject(new Error("no container")),
        reach: () => executor.containerizer?.reach(executor.containerId) ?? Promise.reject(new Error("no container")),
        status: this.#http.status,
        connect: tcpConnect,
      },
    };
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}
