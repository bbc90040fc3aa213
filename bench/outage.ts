/**
 * What the forwarder loses and doubles while its receiver is up, away, slow and restarting, and its files are renamed,
 * copied and truncated, made and deleted, led to by links, and rotated 2,000 at once.
 *
 *   node bench/outage.ts [--seconds 600] [--files 2000] [--other PATH]
 *
 * `--other` names another forwarder with the same command line (the Go logstash-forwarder), which follows the same files
 * in the same run and ships to a receiver of its own that behaves alike. Exits 1 when ours has lost a line, or doubled
 * two in a hundred.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleForwarder } from "../test/support/forwarder.ts";
import { LumberjackReceiver, type ReceivedEvent } from "../test/support/lumberjack-receiver.ts";
import { makeCertificate } from "./certificate.ts";
import { outageWriters, type Writer } from "./outage-writers.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    files: { type: "string", default: "2000" },
    other: { type: "string" },
  },
});
const STEP = 100;
/** What the receiver does, each for its share of the time; the last is up again until everything has arrived. */
const phases = ["up", "away", "slow", "restarting", "away", "up"] as const;
type Phase = (typeof phases)[number];
/** Milliseconds before a slow receiver acknowledges a window. */
const SLOW = 2000;
/** Milliseconds that a restarting receiver is up, and away. */
const RESTART = 2000;
/** Lines doubled of those written, at most. */
const MOST_DOUBLED = 0.02;

const folder = mkdtempSync(join(tmpdir(), "forwarder-outage-"));
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Counts per writer which lines came, and how often. */
class Arrivals {
  readonly #counts = new Map<string, Map<number, number>>();

  take(events: readonly ReceivedEvent[]): void {
    for (const { line } of events) {
      const [name = "", number = ""] = line.split(" ", 2);
      let counts = this.#counts.get(name);
      if (counts === undefined) {
        counts = new Map();
        this.#counts.set(name, counts);
      }
      counts.set(Number(number), (counts.get(Number(number)) ?? 0) + 1);
    }
  }

  of({ name, written }: Writer): { lost: number; doubled: number } {
    const counts = this.#counts.get(name) ?? new Map<number, number>();
    let came = 0;
    for (const count of counts.values()) came += count;
    return { lost: written - counts.size, doubled: came - counts.size };
  }
}

/** A receiver that comes and goes at one port. */
class Receiver {
  readonly arrivals = new Arrivals();
  readonly #tls: { cert: string; key: string };
  #server: LumberjackReceiver | undefined;
  #since = 0;
  #phase: Phase = "away";
  port = 0;

  constructor(tls: { cert: string; key: string }) {
    this.#tls = tls;
  }

  async enter(phase: Phase): Promise<void> {
    this.#phase = phase;
    await this.#close();
    if (phase !== "away") await this.#open(phase === "slow" ? SLOW : 0);
  }

  /** Called now and then. */
  async step(): Promise<void> {
    if (this.#phase !== "restarting" || Date.now() - this.#since < RESTART) return;
    if (this.#server === undefined) await this.#open(0);
    else await this.#close();
  }

  async #open(delay: number): Promise<void> {
    const tls = { cert: readFileSync(this.#tls.cert), key: readFileSync(this.#tls.key) };
    const options = {
      tls,
      delay,
      keep: false,
      port: this.port,
      onEvents: (events: readonly ReceivedEvent[]) => this.arrivals.take(events),
    };
    this.#server = await new LumberjackReceiver(options).listen();
    this.port = this.#server.port;
    this.#since = Date.now();
  }

  async #close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.#since = Date.now();
  }
}

/** A forwarder that is watched. */
class Contender {
  readonly name: string;
  readonly receiver: Receiver;
  readonly #child: ChildProcess;
  #memory = 0;
  #descriptors = 0;

  constructor(name: string, command: readonly string[], config: object, receiver: Receiver) {
    this.name = name;
    this.receiver = receiver;
    const cwd = mkdtempSync(join(folder, "run-"));
    writeFileSync(join(cwd, "config.json"), JSON.stringify(config));
    const [program = "", ...args] = command;
    this.#child = spawn(program, [...args, "-quiet", "-config", join(cwd, "config.json")], {
      cwd,
      stdio: ["ignore", "ignore", "inherit"],
    });
    children.add(this.#child);
  }

  measure(): void {
    const process = `/proc/${this.#child.pid}`;
    try {
      this.#memory = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`${process}/status`, "utf8"))?.[1] ?? 0) / 1024;
      this.#descriptors = Math.max(this.#descriptors, readdirSync(`${process}/fd`).length);
    } catch {
      // It has ended: what was seen of it counts.
    }
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    await Promise.race([ended, sleep(10_000)]);
  }

  /** Prints what it made of the writers' lines; false when that is not good enough. */
  report(writers: readonly Writer[]): boolean {
    let [lost, doubled, written] = [0, 0, 0];
    for (const writer of writers) {
      const result = this.receiver.arrivals.of(writer);
      lost += result.lost;
      doubled += result.doubled;
      written += writer.written;
      console.log(
        `  ${writer.name.padEnd(13)} ${String(writer.written).padStart(8)} lines, lost ${result.lost}, doubled ${result.doubled}`,
      );
    }
    console.log(
      `${this.name}: ${written} lines, lost ${lost}, doubled ${doubled} (${((doubled * 100) / written).toFixed(2)} %), ` +
        `peak ${this.#memory.toFixed(0)} MB, at most ${this.#descriptors} descriptors`,
    );
    return lost === 0 && doubled < written * MOST_DOUBLED;
  }
}

/** Processes that are ours, ended with us. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

async function run(): Promise<boolean> {
  const program = await bundleForwarder(folder);
  const tls = makeCertificate(folder);
  const logs = join(folder, "logs");
  mkdirSync(logs);
  const writers = outageWriters(logs, Number(values.files));
  const follow = async (name: string, command: readonly string[], isOld: boolean) => {
    const receiver = new Receiver(tls);
    await receiver.enter("up");
    const network = { servers: [`localhost:${receiver.port}`], "ssl ca": tls.cert, timeout: 15 };
    const files = [{ paths: writers.flatMap(({ paths }) => paths), fields: { type: "outage" } }];
    const registry = { path: join(folder, "registry.json") };
    const config = isOld ? { network, files } : { network: { ...network, "backoff maximum": "1s" }, files, registry };
    return new Contender(name, command, config, receiver);
  };
  for (const writer of writers) writer.phase(0);
  const contenders = [await follow("this logstash-forwarder", [process.execPath, program], false)];
  if (values.other !== undefined) contenders.push(await follow(values.other, [values.other], true));
  // The first files are there before anybody follows them: when they have come, everybody does.
  const isComplete = ({ receiver }: Contender) => writers.every((writer) => receiver.arrivals.of(writer).lost === 0);
  for (const end = Date.now() + 60_000; Date.now() < end && !contenders.every(isComplete); ) await sleep(STEP);
  const length = (Number(values.seconds) * 1000) / phases.length;
  for (const [number, phase] of phases.entries()) {
    console.log(`${phase} for ${(length / 1000).toFixed(0)} s`);
    for (const { receiver } of contenders) await receiver.enter(phase);
    if (number > 0) for (const writer of writers) writer.phase(number);
    for (const end = Date.now() + length; Date.now() < end; await sleep(STEP)) {
      for (const writer of writers) writer.step();
      for (const { receiver } of contenders) await receiver.step();
      for (const contender of contenders) contender.measure();
    }
  }
  for (const end = Date.now() + 30_000; Date.now() < end && !contenders.every(isComplete); await sleep(STEP))
    for (const contender of contenders) contender.measure();
  for (const contender of contenders) await contender.end();
  const good = contenders.map((contender) => contender.report(writers));
  return good[0] === true;
}

try {
  process.exitCode = (await run()) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
