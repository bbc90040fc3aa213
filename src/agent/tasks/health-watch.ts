import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type CheckerOptions, type Checking, watchCheck, watchHealth } from "../health/checker.ts";
import { planCheck, planHealthCheck } from "../health/plan.ts";
import { httpStatus, tcpConnect } from "../health/probing.ts";
import type { ExecutorRecord } from "../model/records.ts";
import type { CommandTasksOptions } from "./command-tasks.ts";

/** Starts the health check and the generic check of a task. One that makes no sense is told once and not done. */
export function healthWatch(
  clock: Clock,
  log: Logger,
): { watch: CommandTasksOptions["watchHealth"]; close: () => Promise<void> } {
  const http = httpStatus();
  const optionsFor = (executor: ExecutorRecord): CheckerOptions => ({
    clock,
    means: {
      run: (command, timeout) =>
        executor.containerizer?.run(executor.containerId, command, timeout) ??
        Promise.reject(new Error("no container")),
      status: http.status,
      connect: tcpConnect,
    },
  });
  const watch: CommandTasksOptions["watchHealth"] = (executor, task, report) => {
    const running: Checking[] = [];
    const begin = (what: string, start: () => Checking): void => {
      try {
        running.push(start());
      } catch (error) {
        log.error(`The ${what} of task ${task.taskId} is not done: ${messageOf(error)}`);
      }
    };
    const healthCheck = task.info?.healthCheck ?? task.task.healthCheck;
    if (healthCheck !== undefined) {
      begin("health check", () =>
        watchHealth(planHealthCheck(healthCheck), optionsFor(executor), ({ healthy, killWanted, why }) => {
          if (!healthy) log.warn(`Task ${task.taskId} is unhealthy: ${why}`);
          const reason = TaskStatus_Reason.TASK_HEALTH_CHECK_STATUS_UPDATED;
          report({ status: { state: TaskState.TASK_RUNNING, healthy, reason }, kill: killWanted });
        }),
      );
    }
    const check = task.info?.check;
    if (check !== undefined) {
      begin("check", () =>
        watchCheck(planCheck(check), optionsFor(executor), (checkStatus) => {
          const reason = TaskStatus_Reason.TASK_CHECK_STATUS_UPDATED;
          report({ status: { state: TaskState.TASK_RUNNING, checkStatus, reason }, kill: false });
        }),
      );
    }
    return () => {
      for (const checking of running) checking.stop();
    };
  };
  return { watch, close: () => http.close() };
}
