import { type Clock, sleep } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { ExecutorRecord } from "../model/records.ts";
import type { FrameworkRegistry } from "./registry.ts";

/** Milliseconds from SIGTERM to SIGKILL for tasks that end with the agent. */
const GRACE = 800;
/** Milliseconds that their end is waited for. */
const END_TIMEOUT = 1_700;

/**
 * Ends what may not outlive the agent's process: tasks of frameworks that do not checkpoint, whose executors die with the
 * agent in Mesos, too; with `everything` all tasks, when the master that knows of them goes as well. Nothing is reported:
 * the agent leaves. Resolves when they have ended, or did not within 1.7 seconds.
 */
export async function endTasks(
  { clock, log, registry }: { readonly clock: Clock; readonly log: Logger; readonly registry: FrameworkRegistry },
  { everything }: { readonly everything: boolean },
): Promise<void> {
  const ending = [...registry.active.values()]
    .filter(({ info }) => everything || !info.checkpoint)
    .flatMap(({ executors }) => [...executors.values()])
    .filter(({ state, containerizer }) => state !== "TERMINATED" && containerizer !== undefined);
  if (ending.length === 0) return;
  log.info(`Ending ${ending.length} containers that do not outlive this agent`);
  const ended = Promise.allSettled(ending.map(endContainer));
  const late = new AbortController();
  await Promise.race([ended, sleep(clock, END_TIMEOUT, late.signal).catch(() => undefined)]);
  late.abort();
}

async function endContainer({ containerizer, containerId }: ExecutorRecord): Promise<void> {
  await containerizer?.stop(containerId, GRACE);
  await containerizer?.wait(containerId);
}
