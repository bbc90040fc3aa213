import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";

/** Bytes of lines that wait for a reader, at most: what comes then is left out and counted. */
const MOST_WAITING = 65_536;
/** Milliseconds between two attempts while nobody reads. */
const RETRY = 100;

export interface ConsoleOptions {
  readonly clock: Clock;
  /** Writes some of `bytes` and says how many; throws EAGAIN when nobody reads. */
  readonly write: (bytes: Buffer) => number;
}

/**
 * Log lines to a console that perhaps nobody reads: a terminal that is held (Ctrl-S), a log driver that hangs. Shipping
 * does not wait for it; a bounded rest is kept, and what is left out is said when somebody reads again.
 */
export class Console {
  readonly #options: ConsoleOptions;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;
  #timer: Timer | undefined;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  /** `line` with its end. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#bytes + bytes.length > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#timer === undefined) this.#flush();
  }

  #flush(): void {
    this.#timer = undefined;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const count = this.#attempt(first);
      if (count === undefined) {
        this.#timer = this.#options.clock.after(RETRY, () => this.#flush());
        return;
      }
      this.#bytes -= count;
      if (count === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(count);
    }
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.write(`${dropped} lines of this log are left out: nobody read them\n`);
  }

  /** Bytes written; undefined when nobody reads. A console that is gone takes everything. */
  #attempt(bytes: Buffer): number | undefined {
    try {
      return this.#options.write(bytes);
    } catch (error) {
      return codeOf(error) === "EAGAIN" ? undefined : bytes.length;
    }
  }
}

/** Sockets that were made not to block: collected, one would close its descriptor. */
const unblockedSockets: Socket[] = [];

/**
 * A descriptor for writing to the same pipe, terminal or socket (journald's) as `fd` that does not block. Its own where it
 * can be, because the flag is that of every process that shares a descriptor. A socket cannot be opened anew: its own flag
 * is set, which Node takes back when it ends. What may not be opened stays as it is.
 */
function unblocked(fd: number): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) {
      // Nothing is written through it: a write to the descriptor says at once when there is no room.
      unblockedSockets.push(new Socket({ fd, readable: false, writable: true }).unref());
      return fd;
    }
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const same = fstatSync(own);
    if (same.ino === stat.ino && same.dev === stat.dev) return own;
    closeSync(own);
  } catch {
    // As it was.
  }
  return fd;
}

/** The standard error of this process as a console. */
export function standardError(clock: Clock): Console {
  const fd = unblocked(2);
  return new Console({ clock, write: (bytes) => writeSync(fd, bytes) });
}
