/** Windows on the wire before the first is acknowledged. */
export const WINDOWS_IN_FLIGHT = 4;
/** Pairs of windows that have to be acknowledged well before more are in flight. */
const PROBES = 3;
/** A receiver that took one window at a time is probed again after this long, in milliseconds; each time it doubles. */
const FIRST_REST = 60_000;
const LONGEST_REST = 3_600_000;

/**
 * How many windows a receiver takes before it has acknowledged the first. The Ruby input of Logstash 1.4 to 2 mixes up
 * bytes of a second window with the first one's: it acknowledges what was not sent, hangs up, or never answers. So a
 * pair of small windows goes first, before anything worth losing is in flight.
 *
 *     untried ── pairs acknowledged ──▶ proven
 *      │   ▲                              │
 *      │   ├───────── trouble ────────────┘   (receivers restart, too)
 *   trouble└── after a rest ──┐
 *      └───────────────────▶ single
 */
type State =
  | { readonly kind: "untried"; readonly landed: number }
  | { readonly kind: "proven" }
  | { readonly kind: "single"; readonly until: number };

export class Depth {
  #state: State = { kind: "untried", landed: 0 };
  #rest = FIRST_REST;

  /** What is known at `now` (monotonic milliseconds). */
  at(now: number): State["kind"] {
    if (this.#state.kind === "single" && now >= this.#state.until) this.#state = { kind: "untried", landed: 0 };
    return this.#state.kind;
  }

  /** A pair that was in flight together was acknowledged, each window for itself. */
  pairLanded(): void {
    if (this.#state.kind !== "untried") return;
    const landed = this.#state.landed + 1;
    this.#state = landed < PROBES ? { kind: "untried", landed } : { kind: "proven" };
    if (landed >= PROBES) this.#rest = FIRST_REST;
  }

  /** With several windows in flight something went wrong. True when one goes at a time from now on. */
  trouble(now: number): boolean {
    if (this.#state.kind === "proven") {
      this.#state = { kind: "untried", landed: 0 };
      return false;
    }
    this.#state = { kind: "single", until: now + this.#rest };
    this.#rest = Math.min(this.#rest * 2, LONGEST_REST);
    return true;
  }
}
