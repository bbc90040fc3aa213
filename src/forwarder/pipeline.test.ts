import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  LumberjackReceiver,
  type ReceivedEvent,
  type ReceiverOptions,
} from "../../test/support/lumberjack-receiver.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import type * as durable from "../base/durable.ts";
import { silentLogger } from "../base/log.ts";
import { parseFlags } from "./config/flags.ts";
import { loadConfig } from "./config/load.ts";
import { resolveSettings } from "./config/resolve.ts";
import { Pipeline } from "./pipeline.ts";
import { parseRegistry } from "./registrar/format.ts";
import { StandardInput } from "./standard-input.ts";

/** What a write of the registry waits for. */
const disk = vi.hoisted(() => {
  // Test files share what they import: what is replaced here is to be imported anew, here and by those that come afterwards.
  vi.resetModules();
  return { ready: Promise.resolve() };
});
afterAll(() => void vi.resetModules());
vi.mock("../base/durable.ts", async (original) => {
  const real = await original<typeof durable>();
  const writeAtomic: typeof durable.writeAtomic = async (...words) => {
    await disk.ready;
    await real.writeAtomic(...words);
  };
  return { ...real, writeAtomic };
});

let folder: string;
let clock: TestClock;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pipeline-"));
  // Files are as old as the real time says.
  clock = new TestClock(Date.now());
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);
const lines = (count: number): string => Array.from({ length: count }, (_, line) => `line ${line}\n`).join("");

async function receiver(options: ReceiverOptions = {}): Promise<LumberjackReceiver> {
  const started = await new LumberjackReceiver(options).listen();
  closing.push(() => started.close());
  return started;
}

const registry = (): string => path("registry.json");

/** Follows every log of the folder, with `bulk` events a window at most. */
async function follow(
  { port }: LumberjackReceiver,
  file: Readonly<Record<string, unknown>> = {},
  bulk = 1,
): Promise<Pipeline> {
  const config = path("forwarder.json");
  const text = {
    network: { servers: [`127.0.0.1:${port}`], "ssl enabled": false },
    shipping: { "bulk size": bulk, "flush time": "10ms" },
    registry: { path: registry() },
    files: [{ paths: [path("*.log")], ...file }],
  };
  writeFileSync(config, JSON.stringify(text));
  const settings = resolveSettings(loadConfig(config, {}).config, parseFlags(["-config", config]), folder);
  const pipeline = new Pipeline({
    settings,
    clock,
    log: silentLogger,
    host: "here",
    version: "test",
    once: false,
    tap: undefined,
    stdin: new StandardInput(() => process.stdin),
  });
  closing.push(() => pipeline.stop(0));
  await pipeline.start();
  return pipeline;
}

/** Lets time go on until `done` holds. */
async function until(what: string, done: () => boolean, step = 10): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await clock.advance(step);
  }
}

it("what was lost on the wire goes out again before what was read after it", async () => {
  const taken = await receiver({ loseAcks: 1 });
  writeFileSync(path("app.log"), lines(8));
  await follow(taken);
  // The first line comes twice: its acknowledgement was lost.
  await until("all lines", () => taken.events.length === 9);
  expect(taken.events.map(({ line }) => line)).toEqual(["line 0", ...Array.from({ length: 8 }, (_, n) => `line ${n}`)]);
  expect(taken.violations).toEqual([]);
});

it.each([
  ["acknowledges windows in parts", { inHalves: true }],
  ["acknowledges each window twice", { twice: true }],
])("a receiver that %s gets everything, and nothing stays unacknowledged", async (_, options) => {
  const taken = await receiver(options);
  writeFileSync(path("app.log"), lines(600));
  await follow(taken, {}, 64);
  const offset = (): number | undefined =>
    existsSync(registry()) ? JSON.parse(readFileSync(registry(), "utf8")).files[0]?.offset : undefined;
  await until("everything on record", () => offset() === lines(600).length);
  expect(new Set(taken.events.map(({ line }) => line)).size).toBe(600);
  expect(taken.violations).toEqual([]);
});

it("a file is on record before anything of it is sent", async () => {
  const unrecorded: string[] = [];
  const onEvents = (events: readonly ReceivedEvent[]): void => {
    const recorded = readFileSync(registry(), "utf8");
    for (const { fields } of events)
      if (!recorded.includes(String(fields["file"]))) unrecorded.push(String(fields["file"]));
  };
  const taken = await receiver({ onEvents });
  writeFileSync(path("first.log"), lines(1));
  await follow(taken);
  await until("the first file", () => taken.events.length === 1);
  // Positions are written at most every quarter of a second: the second file comes right after such a write.
  await until("a write of the registry", () => readFileSync(registry(), "utf8").includes("first.log"));
  writeFileSync(path("second.log"), lines(1));
  await until("the second file", () => taken.events.length === 2, 1);
  expect(unrecorded).toEqual([]);
});

it("a file that was found empty is on record with its beginning before anything of it is sent", async () => {
  const known: number[] = [];
  const onEvents = (): void => {
    for (const { fingerprint } of parseRegistry(readFileSync(registry(), "utf8")).entries)
      known.push(fingerprint.length);
  };
  const taken = await receiver({ onEvents });
  writeFileSync(path("app.log"), "");
  await follow(taken);
  await until(
    "its name on record",
    () => existsSync(registry()) && readFileSync(registry(), "utf8").includes("app.log"),
  );
  writeFileSync(path("app.log"), lines(1));
  await until("its first line", () => taken.events.length === 1, 1);
  // Compressed away while we are down, it is known again by this, and by nothing else.
  expect(known).toEqual([lines(1).length]);
});

it.each([
  ["plain", {}],
  ["joined", { multiline: { pattern: "^ " } }],
])("a large file leaves their turns to others while the receiver is slow: %s lines", async (_, file) => {
  const taken = await receiver();
  writeFileSync(path("big.log"), lines(500));
  writeFileSync(path("small.log"), "small\nend\n");
  await follow(taken, file);
  await until("the small file's line", () => taken.events.some(({ line }) => line === "small"), 1);
  expect(taken.events.length).toBeLessThan(50);
  await until("everything", () => taken.events.length >= 501, 1);
  const ofBig = taken.events.filter(({ fields }) => String(fields["file"]).endsWith("big.log"));
  expect(ofBig.map(({ line }) => line)).toEqual(lines(500).split("\n").slice(0, ofBig.length));
});

it("little is collected while a slow disk has not recorded the file: a new one's lines would wait behind it", async () => {
  const taken = await receiver();
  writeFileSync(path("big.log"), lines(500));
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.ready = promise;
  const pipeline = await follow(taken);
  await until("the first lines", () => pipeline.status().outstandingEvents > 0, 1);
  for (let step = 0; step < 50; step++) await clock.advance(1);
  // One on its way to the registry, and what is compressed behind it.
  expect(pipeline.status().outstandingEvents).toBeLessThanOrEqual(6);
  resolve();
  await until("everything", () => taken.events.length >= 500, 1);
});
