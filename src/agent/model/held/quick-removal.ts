import { closeSync, constants, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { Pace } from "../../../base/pace.ts";
import { mountOf, O_PATH, pathOf } from "./descriptor.ts";

/** Milliseconds of a turn of the event loop. */
const TURN = 1;
/** Milliseconds at once after which it is taken for a wait for the disk. */
const SLOW = 5;
/** One may have waited for a processor, too. It was the disk when three waits, with hardly anything quick between them, come together. */
const QUICK_FOR_A_WAIT = 8;
const MOST_WAITS = 3 * QUICK_FOR_A_WAIT - 2;
/** Milliseconds until such a disk is tried again. */
const PATIENCE = 30_000;
/** Bytes of a folder itself (some 500 names), and of a file, whose end takes the longer the more there are. */
const SMALL_FOLDER = 16_384;
const SMALL_FILE = 4_194_304;
/** Levels below the tree's top: each turn begins there again. */
const DEEPEST = 16;
/** Turns in a row in which nothing went: others had most of them, or they are too short for the way down. */
const MOST_FRUITLESS = 8;

const FOLDER = O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY;

/** The turns of removals that go on at once: together they hold the event loop for no longer than one of them. */
export class QuickTurns {
  readonly #pace: Pace;
  readonly #now: () => number;
  /** Of waits that nothing quick made up for since. */
  #waits = 0;
  #hardUntil = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds since whenever. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#pace = new Pace(Number.POSITIVE_INFINITY, { milliseconds: TURN, now });
  }

  /** Before each entry: what to wait for first. */
  take(): Promise<void> | undefined {
    return this.#pace.take();
  }

  /** Runs what may make one wait; after too much of that everything is "hard" for a while. */
  run(work: () => Outcome): Outcome {
    const began = this.#now();
    if (began < this.#hardUntil) return "hard";
    try {
      return work();
    } finally {
      const end = this.#now();
      this.#waits = end - began > SLOW ? this.#waits + QUICK_FOR_A_WAIT : Math.max(0, this.#waits - 1);
      if (this.#waits >= MOST_WAITS) {
        this.#hardUntil = end + PATIENCE;
        this.#waits = 0;
      }
    }
  }
}

/** Those of this process. */
export const quickTurns = new QuickTurns();

/** What became of a tree: it is gone; or is for whoever can wait and say why; or goes on after the promise. */
type Outcome = "gone" | "hard" | Promise<void>;

/**
 * Removes a small tree on a quick disk, as an ended task leaves a few, by calls that are made at once: a call of the thread
 * pool costs several times what the call itself does, in processor time and in garbage. Only what goes without further ado: a
 * large file, a folder of hundreds, a mount, a disk that makes one wait and whatever fails is left to removal.ts. As there,
 * links are never followed, and each folder is held, and asked for its mount, before anything in it is touched.
 */
export async function removedQuickly(
  path: string,
  mount: number,
  turns: QuickTurns,
  goOn: () => void,
): Promise<boolean> {
  const tree = new QuickTree(path, mount, turns);
  for (let [before, fruitless] = [0, 0]; ; ) {
    goOn();
    const outcome = turns.run(tree.remove);
    if (typeof outcome === "string") return outcome === "gone";
    fruitless = tree.removed === before ? fruitless + 1 : 0;
    if (fruitless > MOST_FRUITLESS) return false;
    before = tree.removed;
    await outcome;
  }
}

class QuickTree {
  readonly #path: string;
  readonly #mount: number;
  readonly #turns: QuickTurns;
  /** Entries that are gone. */
  removed = 0;

  constructor(path: string, mount: number, turns: QuickTurns) {
    this.#path = path;
    this.#mount = mount;
    this.#turns = turns;
  }

  /** What was removed in an earlier turn is not met again. */
  readonly remove = (): Outcome => {
    try {
      return this.#entry(this.#path, 0);
    } catch {
      // Whoever tries again finds out why.
      return "hard";
    }
  };

  #entry(path: string | Buffer, depth: number): Outcome {
    const wait = this.#turns.take();
    if (wait !== undefined) return wait;
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return "gone";
    const isFolder = stats.isDirectory();
    if (isFolder && (stats.size > SMALL_FOLDER || depth > DEEPEST)) return "hard";
    if (!isFolder && stats.size > SMALL_FILE && stats.nlink === 1) return "hard";
    if (isFolder) {
      const outcome = this.#folder(path, depth);
      if (outcome !== "gone") return outcome;
    } else unlinkSync(path);
    this.removed++;
    return "gone";
  }

  #folder(path: string | Buffer, depth: number): Outcome {
    const fd = openSync(path, FOLDER);
    try {
      if (mountOf(fd) !== this.#mount) return "hard";
      const folder = pathOf(fd);
      let isEmpty = true;
      for (const name of readdirSync(folder, LISTING)) {
        const outcome = this.#entry(placeOf(`${folder}/${name}`), depth + 1);
        if (outcome instanceof Promise) return outcome;
        if (outcome === "hard") isEmpty = false;
      }
      if (!isEmpty) return "hard";
      rmdirSync(path);
      return "gone";
    } finally {
      closeSync(fd);
    }
  }
}

/** Names are bytes, here one in each character: most are ASCII, and need no buffer. */
const LISTING = { encoding: "latin1" } as const;
const BEYOND_ASCII = /[\u0080-\u00ff]/;

/** A path, each byte a character, as the system's calls take it. */
const placeOf = (path: string): string | Buffer => (BEYOND_ASCII.test(path) ? Buffer.from(path, "latin1") : path);
