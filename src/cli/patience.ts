import { UserError } from "../base/errors.ts";
import { type HttpPeer, PeerRefusal } from "../client/peer.ts";
import { type Shell, say } from "./shell.ts";

/** Milliseconds that somebody may be away: an upgrade takes some. */
const LONGEST_SILENCE = 60_000;

/** Whether a failure may be over soon: an agent or a master is restarted, and what it did goes on. */
const isPassing = (error: unknown): boolean =>
  error instanceof PeerRefusal ? error.status === 503 : error instanceof UserError && error.cause !== undefined;

/** Waits for an agent or a master that is away for a while, and says so. */
export class Patience {
  readonly #shell: Shell;
  readonly #peer: HttpPeer;
  /** Since when it does not answer. */
  #silentSince: number | undefined;

  constructor(shell: Shell, peer: HttpPeer) {
    this.#shell = shell;
    this.#peer = peer;
  }

  /** What `ask` resolves to; undefined while there is no answer. Rejects as `ask` does when there is none for too long. */
  async with<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await ask();
      this.#silentSince = undefined;
      return answer;
    } catch (error) {
      const { clock, errors } = this.#shell;
      const now = clock.monotonic();
      if (!isPassing(error) || now - (this.#silentSince ?? now) > LONGEST_SILENCE) throw error;
      if (this.#silentSince === undefined) await say(errors, `${this.#peer.address} does not answer; trying again\n`);
      this.#silentSince ??= now;
      return undefined;
    }
  }
}
