import type { Pace } from "./pace.ts";

/**
 * Goes round many things from time to time, in turns of the event loop: a look at each of thousands of containers, which reads a
 * file or two, would hold up everything else. A round that is due while the last one goes on is left out.
 */
export class Rounds {
  readonly #pace: Pace;
  readonly #failed: (error: unknown) => void;
  #isGoing = false;

  /** `failed` is told what ended a round before its time. */
  constructor(pace: Pace, failed: (error: unknown) => void) {
    this.#pace = pace;
    this.#failed = failed;
  }

  /** Begins a round, whose looks end with a yield: a short one is over before this returns. */
  begin(round: () => Generator<void, void, void>): void {
    if (this.#isGoing) return;
    this.#isGoing = true;
    this.#pace.run(round()).then(
      () => {
        this.#isGoing = false;
      },
      (error: unknown) => {
        this.#isGoing = false;
        this.#failed(error);
      },
    );
  }
}
