import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Engine } from "../../../docker/engine.ts";
import type { TrackedContainer } from "./tracked-container.ts";

/** A second line behind the events: one list, and a look at those that do not run. */
export async function sweep(
  containers: Iterable<TrackedContainer>,
  engine: Pick<Engine, "list">,
  log: Logger,
): Promise<void> {
  const open = [...containers].filter(({ isOver }) => !isOver);
  if (open.length === 0) return;
  try {
    const listed = await engine.list();
    const running = new Set(listed.filter(({ state }) => state === "running").map(({ id }) => id));
    for (const container of open) {
      if (container.engineId === undefined || !running.has(container.engineId)) void container.check();
    }
  } catch (error) {
    log.verbose(1, `Docker containers cannot be listed: ${messageOf(error)}`);
  }
}
