/** Time, injected everywhere so that tests advance it and never sleep. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start, never going back. */
  monotonic(): number;
  /** Calls `callback` once after `milliseconds` (not before), unless cancelled. Keeps the process alive. */
  after(milliseconds: number, callback: () => void): Timer;
}

/** setTimeout takes at most this many milliseconds (2^31 - 1); more would fire at once. */
const LONGEST_TIMEOUT = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      handle =
        left > LONGEST_TIMEOUT
          ? setTimeout(() => arm(left - LONGEST_TIMEOUT), LONGEST_TIMEOUT)
          : setTimeout(callback, Math.max(0, left));
    };
    arm(milliseconds);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `milliseconds`; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(milliseconds, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Calls `callback` every `milliseconds`, the first time after one period. */
export function every(clock: Clock, milliseconds: number, callback: () => void): Timer {
  let timer = clock.after(milliseconds, function tick() {
    timer = clock.after(milliseconds, tick);
    callback();
  });
  return { cancel: () => timer.cancel() };
}
