/** What of the writers' lines has come, and where what has not come was written. */
import type { ReceivedEvent } from "../test/support/lumberjack-receiver.ts";
import type { Chunk, Writer } from "./outage-writers.ts";

/** Lines that follow each other, were written at once, and have not come. */
export interface Gap {
  readonly first: number;
  readonly until: number;
  readonly chunk: Chunk;
}

interface Count {
  came: number;
  /** Times that it was taken by a receiver that was killed before it had acknowledged it. */
  excused: number;
}

/** Counts per writer which lines came, and how often. */
export class Arrivals {
  readonly #counts = new Map<string, Map<number, Count>>();
  /** Milliseconds since the epoch when something came last that had not come before. */
  last = 0;

  take(events: readonly ReceivedEvent[]): void {
    for (const event of events) {
      const count = this.#at(event);
      if (count.came === 0) this.last = Date.now();
      count.came++;
    }
  }

  /** The receiver that had taken these was killed before it acknowledged them: they have to come again. */
  excuse(events: readonly ReceivedEvent[]): void {
    for (const event of events) this.#at(event).excused++;
  }

  /** Lines that never came, copies of lines, and copies that a receiver's end explains. */
  count({ name, written }: Writer): { lost: number; doubled: number; excused: number } {
    let [came, doubled, excused] = [0, 0, 0];
    for (const count of this.#of(name).values()) {
      if (count.came > 0) came++;
      const more = Math.max(0, count.came - 1);
      excused += Math.min(more, count.excused);
      doubled += Math.max(0, more - count.excused);
    }
    return { lost: written - came, doubled, excused };
  }

  gaps({ name, chunks }: Writer): Gap[] {
    const counts = this.#of(name);
    const gaps: Gap[] = [];
    for (const chunk of chunks) {
      for (let line = chunk.first; line < chunk.until; line++) {
        if (counts.has(line)) continue;
        const first = line;
        while (line < chunk.until && !counts.has(line)) line++;
        gaps.push({ first, until: line, chunk });
      }
    }
    return gaps;
  }

  #at({ line }: ReceivedEvent): Count {
    const [name = "", number = ""] = line.split(" ", 2);
    const counts = this.#of(name);
    let count = counts.get(Number(number));
    if (count === undefined) {
      count = { came: 0, excused: 0 };
      counts.set(Number(number), count);
    }
    return count;
  }

  #of(name: string): Map<number, Count> {
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(name, counts);
    }
    return counts;
  }
}
