import type { Clock } from "./clock.ts";

/**
 * Resolves to what `work` resolves to, or to `late` after so many milliseconds; the work itself goes on, and what becomes of
 * it is nobody's business then. Rejects as the work does while it is in time.
 */
export function within<T, L>(clock: Clock, milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(milliseconds, () => resolve(late));
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
