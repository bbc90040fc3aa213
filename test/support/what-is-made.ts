import { createHook } from "node:async_hooks";

/** What was made while something ran. It does not depend on how busy a machine is. */
interface Made<T> {
  readonly result: T;
  /** Calls that were handed to the thread pool. */
  readonly poolCalls: number;
  readonly promises: number;
}

/** Counts what `action` makes of what costs memory and time; nothing else may run meanwhile. */
export async function whatIsMade<T>(action: () => Promise<T>): Promise<Made<T>> {
  let [poolCalls, promises] = [0, 0];
  const hook = createHook({
    init(_id, type) {
      if (type === "PROMISE") promises++;
      else if (type.startsWith("FS")) poolCalls++;
    },
  }).enable();
  try {
    const result = await action();
    return { result, poolCalls, promises };
  } finally {
    hook.disable();
  }
}
