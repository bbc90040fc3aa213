import type { NetworkSettings, Version } from "../model/settings.ts";

/** Refusals in a row, without a byte between, before the other version is tried. */
const REFUSALS = 3;
/** A refusal comes at once: a connection that lived longer, in milliseconds, ended for another reason. */
const AT_ONCE = 5000;
/** After the first suspicion a connection rests so long, in milliseconds, before its first window. */
const HOLD = 200;

/**
 * Which version of Lumberjack a server is spoken to. `auto` begins with the preferred one and tries the other only when
 * connections that held until then end at once after their first window, several times in a row and without a byte
 * ever having come back: receivers restart, and a balancer without a receiver hangs up as well. What was acknowledged
 * once stays.
 */
export class Dialect {
  readonly #preferred: Version;
  #version: Version;
  #known: boolean;
  #refusals = 0;

  constructor(configured: NetworkSettings["version"], preferred: Version) {
    this.#preferred = preferred;
    this.#version = preferred;
    this.#known = configured !== "auto";
  }

  get version(): Version {
    return this.#version;
  }

  /** Milliseconds that a new connection rests before its first window, to see whether it would end anyway. */
  get hold(): number {
    return !this.#known && (this.#refusals > 0 || this.#version !== this.#preferred) ? HOLD : 0;
  }

  /** Something came back in this version. */
  answered(): void {
    this.#known = true;
  }

  /** The server hung up `after` milliseconds after the first window, with no byte ever. True when the version changes. */
  hungUp(after: number): boolean {
    if (this.#known || after > AT_ONCE) return false;
    this.#refusals++;
    if (this.#version === this.#preferred && this.#refusals < REFUSALS) return false;
    this.#version = this.#version === 1 ? 2 : 1;
    this.#refusals = 0;
    return true;
  }
}
