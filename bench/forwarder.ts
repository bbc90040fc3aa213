/**
 * What the forwarder costs: throughput and CPU per event over TLS on loopback, memory (with short lines and with lines of a
 * megabyte), idle CPU with many files, and the time from append to acknowledgement.
 *
 *   npm run bench forwarder -- [--lines 1000000] [--other PATH] [--protocol 1|2] [--only throughput,long,idle,latency]
 *                              [--files 1000] [--idle-seconds 40]
 *
 * `--other` names another forwarder with the same command line (the Go logstash-forwarder) to measure beside it.
 */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deflateSync } from "node:zlib";
import { messageOf } from "../src/base/errors.ts";
import { bundleForwarder } from "../test/support/forwarder.ts";
import { LumberjackReceiver } from "../test/support/lumberjack-receiver.ts";
import { children, stop, type Throughput, throughputOf, usage } from "./forwarder-run.ts";
import { inParts } from "./parts.ts";
import { cpuOf, peakOf } from "./processes.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    other: { type: "string" },
    protocol: { type: "string", default: "1" },
    only: { type: "string" },
    files: { type: "string", default: "1000" },
    "idle-seconds": { type: "string", default: "40" },
  },
});
const LINES = Number(values.lines);
const folder = mkdtempSync(join(tmpdir(), "forwarder-bench-"));
const run = { folder, log: join(folder, "big.log"), protocol: Number(values.protocol) };
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** 150-byte lines as a service writes them. */
function writeLines(path: string, count: number): void {
  const file = openSync(path, "w");
  for (let from = 0; from < count; from += 10_000) {
    let text = "";
    for (let index = from; index < Math.min(count, from + 10_000); index++) {
      const id = (Math.imul(index, 2_654_435_761) >>> 0).toString(16);
      const line = `2026-11-22T10:${String(index % 60).padStart(2, "0")}:07.${String(index).padStart(7, "0")} INFO module${index % 17} request=${id} status=200 path=/api/v1/items/${index} took=${(index * 7919) % 997}ms `;
      text += `${line.padEnd(149, "user agent of someone who reads logs ").slice(0, 149)}\n`;
    }
    writeSync(file, text);
  }
  closeSync(file);
}

/**
 * Milliseconds from the start until a forwarder counts as idle: its files are read and acknowledged within two seconds (a
 * thousand of them, and a second for each further one), and the collector gives back what the start took eight to ten
 * seconds after that, for 30 to 90 ms of processor: a start's price, and not that of being idle.
 */
const SETTLE = 20_000;

async function idle(program: string): Promise<void> {
  const files = Number(values.files);
  const seconds = Number(values["idle-seconds"]);
  const logs = join(folder, "many");
  mkdirSync(logs);
  for (let index = 0; index < files; index++) writeFileSync(join(logs, `${index}.log`), `line of ${index}\n`);
  const receiver = await new LumberjackReceiver({ keep: false }).listen();
  const cwd = mkdtempSync(join(folder, "run-"));
  writeFileSync(
    join(cwd, "config.json"),
    JSON.stringify({
      network: { servers: [`127.0.0.1:${receiver.port}`], "ssl enabled": false },
      files: [{ paths: [join(logs, "*.log")] }],
      registry: { path: join(cwd, "registry.json") },
    }),
  );
  const child = spawn(process.execPath, [program, "-quiet", "-config", join(cwd, "config.json")], { stdio: "inherit" });
  children.add(child);
  await sleep(SETTLE + files);
  const pid = child.pid ?? 0;
  const before = cpuOf(pid);
  await sleep(seconds * 1000);
  const used = cpuOf(pid) - before;
  const peak = peakOf(pid);
  await stop(child);
  await receiver.close();
  const many = files.toLocaleString("en");
  report([
    {
      ...{ id: `forwarder-idle-${files}`, what: `forwarder, idle with ${many} files`, unit: "% CPU" },
      value: (100 * used) / seconds,
      goal: { atMost: 0.1 * Math.max(1, files / 1000) },
      bound: "a look at each file",
    },
    {
      ...{ id: `forwarder-files-${files}`, what: `forwarder, peak with ${many} files`, value: peak, unit: "MB" },
      goal: { atMost: 90 + (files * 2) / 1024 },
      bound: "what is known of each file",
    },
  ]);
}

/** Milliseconds between two appends. */
const BEAT = 10;
/** Seconds that lines are appended for. */
const LATENCY_SECONDS = 20;

/** `rate`: lines a second, a hundred at least. Each is the time at which it is appended. */
async function latency(program: string, rate: number): Promise<void> {
  const path = join(folder, `slow-${rate}.log`);
  writeFileSync(path, "");
  const times: number[] = [];
  const receiver = await new LumberjackReceiver({
    keep: false,
    // Acknowledged in the turn in which they are taken: the acknowledgement is on its way.
    onEvents: (events) => {
      for (const { line } of events) times.push(Date.now() - Number(line));
    },
  }).listen();
  const cwd = mkdtempSync(join(folder, "run-"));
  writeFileSync(
    join(cwd, "config.json"),
    JSON.stringify({
      network: { servers: [`127.0.0.1:${receiver.port}`], "ssl enabled": false },
      files: [{ paths: [path] }],
      registry: { path: join(cwd, "registry.json") },
    }),
  );
  const child = spawn(process.execPath, [program, "-quiet", "-config", join(cwd, "config.json")], { stdio: "inherit" });
  children.add(child);
  await sleep(1000);
  const before = usage(child.pid ?? 0);
  const begun = performance.now();
  // By the clock: a machine that is busy appends more at once, and not less.
  for (let written = 0; written < LATENCY_SECONDS * rate; await sleep(BEAT)) {
    const due = Math.min(LATENCY_SECONDS * rate, Math.floor(((performance.now() - begun) / 1000) * rate));
    appendFileSync(path, `${Date.now()}\n`.repeat(due - written));
    written = due;
  }
  await sleep(500);
  const seconds = (performance.now() - begun) / 1000;
  const after = usage(child.pid ?? 0);
  await stop(child);
  await receiver.close();
  if (times.length !== LATENCY_SECONDS * rate)
    throw new Error(
      `${times.length} of ${LATENCY_SECONDS * rate} lines were acknowledged half a second after the last`,
    );
  times.sort((a, b) => a - b);
  const at = `${rate.toLocaleString("en")} lines/s`;
  // The ids of the slow rate are those of earlier results.
  const [id, cpuId] =
    rate === 100 ? ["forwarder-latency", "forwarder-slow-cpu"] : [`forwarder-latency-${rate}`, `forwarder-cpu-${rate}`];
  report([
    {
      ...{ id, what: `append to acknowledgement, p99, ${at}`, unit: "ms" },
      value: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
      goal: { atMost: 100 },
      bound: "the looks at the file, and the pause for a full window",
    },
    {
      ...{ id: cpuId, what: "the forwarder meanwhile", value: (after.cpu - before.cpu) / 10 / seconds, unit: "% CPU" },
      bound:
        rate === 100 ? "a read, a window and a registry for nearly every line" : "zlib, and one walk over the bytes",
    },
  ]);
}

/** What a zlib run over the same text takes, in microseconds a line: the least that shipping compressed lines can. */
function zlibPrice(path: string, lines: number): number {
  const text = readFileSync(path);
  const before = process.cpuUsage();
  for (let at = 0; at < text.length; at += 1 << 18) deflateSync(text.subarray(at, at + (1 << 18)), { level: 1 });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / lines;
}

/** The other program over the same lines; undefined when it cannot, which is said. */
async function peer(command: string): Promise<Throughput | undefined> {
  try {
    return await throughputOf({ ...run, command: [command], lines: LINES, original: true });
  } catch (error) {
    console.error(`${command}: ${messageOf(error)}`);
    process.exitCode = 1;
    return undefined;
  }
}

async function short(program: string): Promise<void> {
  const path = join(folder, "big.log");
  writeLines(path, LINES);
  const price = zlibPrice(path, LINES);
  const ours = await throughputOf({ ...run, command: [process.execPath, program], lines: LINES });
  const other = values.other === undefined ? undefined : await peer(values.other);
  const beside = (value: number | undefined, what = "the other") => value !== undefined && { peer: { what, value } };
  report([
    {
      ...{
        id: "forwarder-rate",
        what: "lines of 150 bytes shipped",
        value: ours.rate,
        unit: "/s",
        // Its last window is not full, and the Go original waits five seconds for more before it sends that.
        ...beside(other?.rate, "the other, with its wait for the last window"),
      },
      ...(other !== undefined && { goal: { atLeast: 8 * other.rate } }),
      bound: "the processors, which the receiver shares; else the round trip of 4 windows and the registry's fsync",
    },
    {
      ...{
        id: "forwarder-full-windows",
        what: "the same, until the last window, which is not full",
        value: ours.full,
        unit: "/s",
        ...beside(other?.full),
      },
      bound: "the processors, which the receiver shares",
    },
    {
      ...{
        id: "forwarder-each",
        what: "CPU a line (start included)",
        value: ours.each,
        unit: "µs",
        ...beside(other?.each),
      },
      floor: { what: "zlib", value: price },
      goal: { atMost: 2.5 },
      bound: "zlib, TLS, and one walk over the bytes",
    },
    {
      ...{
        id: "forwarder-peak",
        what: "forwarder, peak under load",
        value: ours.peak,
        unit: "MB",
        ...beside(other?.peak),
      },
      goal: { atMost: 90 },
      bound: "Node itself, and four windows",
    },
  ]);
}

/** As many bytes as short lines have, in lines of a megabyte. */
async function long(program: string): Promise<void> {
  const lines = Math.max(20, Math.round((LINES * 150) / 1_000_000));
  const file = openSync(join(folder, "big.log"), "w");
  for (let line = 0; line < lines; line++)
    writeSync(file, `${`line ${line} of many words `.repeat(50_000).slice(0, 999_999)}\n`);
  closeSync(file);
  const { peak } = await throughputOf({ ...run, command: [process.execPath, program], lines });
  report([
    {
      ...{ id: "forwarder-peak-long", what: "the same with lines of a megabyte", value: peak, unit: "MB" },
      goal: { atMost: 90 },
      bound: "Node itself, a batch and a window",
    },
  ]);
}

try {
  const wanted = (name: string) =>
    values.only === undefined || values.only.split(",").includes(name.replace(/-.*/, ""));
  const program = await bundleForwarder(folder);
  const parts = {
    throughput: () => short(program),
    long: () => long(program),
    latency: () => latency(program, 100),
    "latency-10000": () => latency(program, 10_000),
    idle: () => idle(program),
  };
  const failures = await inParts(Object.fromEntries(Object.entries(parts).filter(([name]) => wanted(name))));
  for (const failure of failures) console.error(failure);
  if (failures.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
