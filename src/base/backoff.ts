export interface BackoffOptions {
  /** Milliseconds of the first wait's upper bound. */
  readonly initial: number;
  /** Milliseconds that no wait exceeds. */
  readonly maximum: number;
  readonly factor?: number;
  /** `full`: uniform in [0, bound], as Mesos registers; `half`: uniform in [bound/2, bound]; `none`: the bound. */
  readonly jitter?: "full" | "half" | "none";
  readonly random?: () => number;
}

/** Waits that grow: each `next()` is drawn below a bound that multiplies by `factor` (2) until `maximum`. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #bound: number;

  constructor(options: BackoffOptions) {
    this.#options = { factor: 2, jitter: "half", random: Math.random, ...options };
    this.#bound = this.#options.initial;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { jitter, random, factor, maximum } = this.#options;
    const bound = Math.min(this.#bound, maximum);
    this.#bound = Math.min(this.#bound * factor, maximum);
    if (jitter === "none") return bound;
    return jitter === "full" ? random() * bound : bound / 2 + (random() * bound) / 2;
  }

  reset(): void {
    this.#bound = this.#options.initial;
  }
}
