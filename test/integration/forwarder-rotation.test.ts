import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleForwarder, type Started, scratch, startForwarder, until, writeConfig } from "../support/forwarder.ts";
import { LumberjackReceiver } from "../support/lumberjack-receiver.ts";
import { type RotationCase, rotationCases, seeded } from "../support/rotation.ts";
import { settle } from "../support/test-clock.ts";

/** Kills in each case; 13 cases make 520. FORWARDER_KILLS and FORWARDER_SEED ask for another run. */
const KILLS = Number(process.env["FORWARDER_KILLS"] ?? 40);
const SEED = Number(process.env["FORWARDER_SEED"] ?? 20_261_122);
/** Events that a crash may double: the configured window. */
const WINDOW = 256;

/** Lines that the writer may be ahead: what is lost shows as well with less. */
const MOST_AHEAD = 1500;

const work = scratch("rotation");
/** In memory where there is such a place: waiting for a busy disk 2,000 times says nothing about rotation. */
const registries = scratch("registries", existsSync("/dev/shm") ? "/dev/shm" : undefined);
let program = "";
beforeAll(async () => {
  program = await bundleForwarder(work.path);
});
afterAll(() => {
  work.remove();
  registries.remove();
});

/**
 * Counts arrivals by line number, and in which stretch they came: a stretch ends when the forwarder is killed or the
 * receiver dies, and what had not been acknowledged then has to come again.
 */
class Arrivals {
  readonly stretches = new Map<number, number>();
  /** Per stretch: how much of what came in it came again, which is what its end doubled. */
  readonly doubled: number[] = [0];
  readonly #repeated: { readonly number: number; readonly stretch: number }[] = [];
  /** What the forwarder said in each stretch. */
  readonly #said: (() => string)[] = [];
  stretch = 0;

  begin(said: () => string): void {
    this.stretch++;
    this.doubled.push(0);
    this.#said[this.stretch] = said;
  }

  take(number: number): void {
    const earlier = this.stretches.get(number);
    if (earlier === this.stretch) this.#repeated.push({ number, stretch: earlier });
    else if (earlier !== undefined) this.doubled[earlier] = (this.doubled[earlier] ?? 0) + 1;
    this.stretches.set(number, this.stretch);
  }

  /** The numbers that came twice although nothing had died, with what the forwarder said. Empty is how it should be. */
  repeated(): string {
    return [...new Set(this.#repeated.map(({ stretch }) => stretch))]
      .map((stretch) => {
        const numbers = this.#repeated.filter((one) => one.stretch === stretch).map(({ number }) => number);
        return `stretch ${stretch}: ${numbers}\n${this.#said[stretch]?.()}`;
      })
      .join("\n");
  }
}

interface Course {
  readonly label: string;
  readonly kills: number;
  /** Steps of the writer at one moment, at most. */
  readonly burst: number;
  /** The last run of the forwarder goes on until so many lines are written. */
  readonly lines: number;
}

const KILLED: Course = { label: "killed", kills: KILLS, burst: 1, lines: 0 };
/** Without a crash everything has to come exactly once, however fast files are rotated: several times between two looks. */
const ALIVE: Course = { label: "alive", kills: 0, burst: 6, lines: 20_000 };

async function runCase(
  { name, paths, writer: makeWriter }: RotationCase,
  index: number,
  course: Course,
): Promise<void> {
  const random = seeded(SEED + index);
  const folder = join(work.path, `${course.label}-${index}`);
  const logs = join(folder, "logs");
  mkdirSync(logs, { recursive: true });
  const arrivals = new Arrivals();
  const receiver = await new LumberjackReceiver({
    keep: false,
    mode: index % 3 === 2 ? "ruby" : "beats",
    onEvents: (events) => {
      for (const { line } of events) arrivals.take(Number.parseInt(line, 10));
    },
  }).listen();
  const registry = join(registries.path, `${course.label}-${index}.json`);
  const config = writeConfig(folder, {
    network: {
      servers: [`127.0.0.1:${receiver.port}`],
      "ssl enabled": false,
      "protocol version": 1 + (index % 2),
      "backoff initial": "20ms",
      "backoff maximum": "100ms",
    },
    shipping: { "bulk size": 64, "window size": WINDOW, "flush time": "5ms" },
    reading: { "scan interval": "200ms" },
    registry: { path: registry },
    files: [{ paths: paths.map((path) => join(logs, path)), "close inactive": index % 2 === 0 ? "100ms" : "5m" }],
  });
  const writer = makeWriter(logs, random);
  const arrived = {
    get lines() {
      return arrivals.stretches.size;
    },
    has: (number: number) => arrivals.stretches.has(number),
  };
  const ticker = setInterval(() => {
    for (let steps = 1 + Math.floor(random() * course.burst); steps > 0; steps--)
      if (writer.written - arrived.lines < MOST_AHEAD) writer.step(arrived);
  }, 4);
  let running: Started | undefined;
  const start = (...more: string[]): Started => {
    const started = startForwarder(program, ["-config", config, ...more]);
    arrivals.begin(started.log);
    return started;
  };
  const logged = () => `${name}: ${arrivals.stretches.size} of ${writer.written}\n${running?.log() ?? ""}`;
  try {
    for (let kill = 0; kill < course.kills; kill++) {
      running = start();
      const before = arrivals.stretches.size;
      // Some are killed while they start, some in the middle of shipping.
      if (random() < 0.8) await until(() => arrivals.stretches.size > before, "something is shipped", logged);
      await new Promise((resolve) => setTimeout(resolve, random() * 120));
      if (kill % 10 === 9) {
        await receiver.close();
        arrivals.begin(running.log);
        await receiver.listen();
      }
      running.process.kill("SIGKILL");
      await running.exit;
      // What it had sent belongs to its own stretch.
      await settle();
      await until(() => receiver.open === 0, "its connection ends", logged);
    }
    running = start();
    await until(() => writer.written >= course.lines, "enough is written", logged, 120_000);
    clearInterval(ticker);
    writer.finish();
    await until(() => arrivals.stretches.size >= writer.written, "everything arrives", logged, 20_000).catch(
      (error: unknown) => {
        const missing = Array.from({ length: writer.written }, (_, number) => number).filter(
          (number) => !arrivals.stretches.has(number),
        );
        const recorded = readFileSync(registry, "utf8");
        const files = readdirSync(logs).slice(-5).join(" ");
        throw new Error(
          `${String(error)}\nmissing ${missing.length}: ${missing.slice(0, 20).join(" ")}\n${files}\n${recorded}`,
        );
      },
    );
    running.process.kill("SIGTERM");
    expect(await running.exit).toBe(0);
    const clean = arrivals.stretch;
    running = start("-once");
    expect(await running.exit, running.log()).toBe(0);
    expect(arrivals.doubled[clean], "a clean stop doubles nothing").toBe(0);
  } finally {
    clearInterval(ticker);
    running?.process.kill("SIGKILL");
    await receiver.close();
  }
  expect(receiver.violations).toEqual([]);
  expect(arrivals.repeated(), "sent twice although nothing had died").toBe("");
  expect(Math.max(...arrivals.doubled), "doubled by one crash").toBeLessThanOrEqual(WINDOW);
  console.log(
    `${name}: ${writer.written} lines, ${course.kills} kills, ${arrivals.doubled.reduce((a, b) => a + b)} doubled, at most ${Math.max(...arrivals.doubled)} by one`,
  );
}

describe.concurrent("whatever happens to a file, and killed at any moment", { timeout: 300_000, retry: 0 }, () => {
  it.each(rotationCases.map((one, index) => ({ ...one, index })))("$name", async ({ index, ...one }) => {
    await runCase(one, index, KILLED);
  });
});

describe.concurrent("whatever happens to a file while nothing dies, however fast", {
  timeout: 300_000,
  retry: 0,
}, () => {
  it.each(rotationCases.map((one, index) => ({ ...one, index })))("$name", async ({ index, ...one }) => {
    await runCase(one, index, ALIVE);
  });
});
