/**
 * What the forwarder loses and doubles while its receiver is up, away, slow and restarting, and its files are renamed,
 * copied and truncated, made and deleted, led to by links, and rotated 2,000 at once.
 *
 *   node bench/outage.ts [--seconds 600] [--files 2000] [--other PATH] [--keep]
 *
 * `--other` names another forwarder with the same command line (the Go logstash-forwarder), which follows the same files
 * in the same run and ships to a receiver of its own that behaves alike. Of lines that did not come it says from which file
 * they are and when they were written; `--keep` leaves files, registries and logs where they are. Exits 1 when ours has lost
 * a line without counting its file as gone before it could be opened, or doubled two in a hundred besides those that a
 * receiver had taken which was killed before it acknowledged them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleForwarder } from "../test/support/forwarder.ts";
import { LumberjackReceiver, type ReceivedEvent } from "../test/support/lumberjack-receiver.ts";
import { makeCertificate } from "./certificate.ts";
import { Arrivals } from "./outage-arrivals.ts";
import { outageWriters, type Writer } from "./outage-writers.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    files: { type: "string", default: "2000" },
    other: { type: "string" },
    keep: { type: "boolean", default: false },
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
/** Gaps that are printed of one writer. */
const MOST_GAPS = 20;
/** Lines doubled of those written, at most. */
const MOST_DOUBLED = 0.02;

const folder = mkdtempSync(join(tmpdir(), "forwarder-outage-"));
const time = (at: number): string => new Date(at).toISOString().slice(11, 23);
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A receiver that comes and goes at one port. */
class Receiver {
  readonly arrivals = new Arrivals();
  readonly #tls: { cert: string; key: string };
  #server: LumberjackReceiver | undefined;
  /** Windows that were taken and are not acknowledged: killed now, it gets them again, from whatever shipper. */
  readonly #unanswered = new Set<readonly ReceivedEvent[]>();
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
      continues: true,
      port: this.port,
      onEvents: (events: readonly ReceivedEvent[]) => {
        // A receiver that was killed takes nothing more.
        if (this.#server !== server) return;
        this.arrivals.take(events);
        this.#unanswered.add(events);
      },
      onAcknowledged: (events: readonly ReceivedEvent[]) => this.#unanswered.delete(events),
    };
    const server = new LumberjackReceiver(options);
    this.#server = server;
    this.port = (await server.listen()).port;
    this.#since = Date.now();
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
    for (const events of this.#unanswered) this.arrivals.excuse(events);
    this.#unanswered.clear();
    this.#since = Date.now();
  }
}

/** A forwarder that is watched. */
class Contender {
  readonly name: string;
  readonly receiver: Receiver;
  readonly #child: ChildProcess;
  readonly #cwd: string;
  #memory = 0;
  #descriptors = 0;

  constructor(name: string, command: readonly string[], config: object, receiver: Receiver) {
    this.name = name;
    this.receiver = receiver;
    const cwd = mkdtempSync(join(folder, "run-"));
    writeFileSync(join(cwd, "config.json"), JSON.stringify(config));
    const [program = "", ...args] = command;
    this.#cwd = cwd;
    const log = openSync(join(cwd, "log"), "w");
    this.#child = spawn(program, [...args, "-config", join(cwd, "config.json")], {
      cwd,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    children.add(this.#child);
  }

  /** Files that it says were gone before it could open them, once it has ended. */
  get #missed(): number {
    const path = join(this.#cwd, "status.json");
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { missedFiles: number }).missedFiles : 0;
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
    let [lost, doubled, excused, written, gone] = [0, 0, 0, 0, 0];
    const missed = this.#missed;
    for (const writer of writers) {
      const result = this.receiver.arrivals.count(writer);
      excused += result.excused;
      lost += result.lost;
      doubled += result.doubled;
      written += writer.written;
      console.log(
        `  ${writer.name.padEnd(13)} ${String(writer.written).padStart(8)} lines, lost ${result.lost}, doubled ${result.doubled}`,
      );
      const gaps = this.receiver.arrivals.gaps(writer);
      for (const [index, { first, until, chunk }] of gaps.entries()) {
        if (index < MOST_GAPS)
          console.log(
            `    ${first} to ${until - 1}: ${chunk.path}, inode ${chunk.inode}, written at ${time(chunk.at)}`,
          );
        else if (index === MOST_GAPS) console.log(`    and ${gaps.length - MOST_GAPS} more`);
        // A file that was written at once and gone is lost as a whole, or not at all.
        if (writer.isShort && until - first === chunk.until - chunk.first && gone++ < missed) lost -= until - first;
      }
    }
    console.log(`  the last line that had not come before came at ${time(this.receiver.arrivals.last)}`);
    if (missed > 0) console.log(`  ${missed} files are said to have been gone before they could be opened`);
    console.log(
      `${this.name}: ${written} lines, lost ${lost}, doubled ${doubled} (${((doubled * 100) / written).toFixed(2)} %) ` +
        `and ${excused} by receivers killed before they acknowledged, ` +
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
    const own = {
      network: { ...network, "backoff maximum": "1s" },
      files,
      registry: { path: join(folder, "registry.json") },
      monitoring: { "status file": "status.json" },
    };
    const config = isOld ? { network, files } : own;
    return new Contender(name, command, config, receiver);
  };
  for (const writer of writers) writer.phase(0);
  const contenders = [await follow("this logstash-forwarder", [process.execPath, program], false)];
  if (values.other !== undefined) contenders.push(await follow(values.other, [values.other], true));
  // The first files are there before anybody follows them: when they have come, everybody does.
  const isComplete = ({ receiver }: Contender) => writers.every((writer) => receiver.arrivals.count(writer).lost === 0);
  for (const end = Date.now() + 60_000; Date.now() < end && !contenders.every(isComplete); ) await sleep(STEP);
  const length = (Number(values.seconds) * 1000) / phases.length;
  for (const [number, phase] of phases.entries()) {
    console.log(`${time(Date.now())} ${phase} for ${(length / 1000).toFixed(0)} s`);
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
  if (values.keep) console.log(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
process.exit();
