/**
 * Imported into an agent that is measured (`node --import`): writes to the file that its own URL names (`?to=PATH`) the longest
 * that the agent's event loop stood, as JSON, whenever that grows. SIGUSR2 begins anew: loading the program is no load.
 */
import { readFileSync, writeFileSync } from "node:fs";

/** Milliseconds. */
export interface LoopStandstill {
  /** From one look at the clock to the next, beyond the tick. */
  readonly gap: number;
  /** The same without what the thread waited for a processor that somebody else had: its own work, and calls that did not return. */
  readonly held: number;
  /** The most that the thread was on a processor between two looks: on a busy machine the collector waits for its own threads, too. */
  readonly worked: number;
}

const TICK = 2;
const to = new URL(import.meta.url).searchParams.get("to");

/** Milliseconds that this thread waited for a processor so far. */
const waited = (): number => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[1]) / 1e6;

/** Milliseconds that it was on one. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const NOTHING: LoopStandstill = { gap: 0, held: 0, worked: 0 };

if (to !== null) {
  let found = NOTHING;
  let [last, lastWaited, lastWorked] = [performance.now(), waited(), worked()];
  setInterval(() => {
    const [now, nowWaited] = [performance.now(), waited()];
    const gap = now - last - TICK;
    const held = gap - (nowWaited - lastWaited);
    const work = worked() - lastWorked;
    if (gap > found.gap + 1 || held > found.held + 1 || work > found.worked + 1) {
      found = {
        gap: Math.max(gap, found.gap),
        held: Math.max(held, found.held),
        worked: Math.max(work, found.worked),
      };
      writeFileSync(to, JSON.stringify(found));
    }
    [last, lastWaited, lastWorked] = [performance.now(), waited(), worked()];
  }, TICK).unref();
  process.on("SIGUSR2", () => {
    found = NOTHING;
    writeFileSync(to, JSON.stringify(found));
  });
}
