/**
 * What the forwarder costs: throughput and CPU per event over TLS on loopback, memory (with short lines and with lines of a
 * megabyte), idle CPU with many files, and the time from append to acknowledgement.
 *
 *   npm run bench forwarder -- [--lines 1000000] [--other PATH] [--protocol 1|2] [--only throughput,long,idle,latency]
 *                              [--files 1000] [--idle-seconds 30]
 *
 * `--other` names another forwarder with the same command line (the Go logstash-forwarder) to measure beside it.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
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
import { bundleForwarder } from "../test/support/forwarder.ts";
import { LumberjackReceiver } from "../test/support/lumberjack-receiver.ts";
import { makeCertificate } from "./certificate.ts";
import { cpuOf, peakOf } from "./processes.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    other: { type: "string" },
    protocol: { type: "string", default: "1" },
    only: { type: "string" },
    files: { type: "string", default: "1000" },
    "idle-seconds": { type: "string", default: "30" },
  },
});
const LINES = Number(values.lines);
const folder = mkdtempSync(join(tmpdir(), "forwarder-bench-"));
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** User and system time of a process so far in milliseconds, and its largest resident size in MB. */
function usage(pid: number): { cpu: number; peak: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) * 10, peak: Number(peak) / 1024 };
}

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

interface Throughput {
  /** Events a second; microseconds of processor an event, of the forwarder and of the receiver; megabytes at most. */
  readonly rate: number;
  readonly each: number;
  readonly receiver: number;
  readonly peak: number;
}

async function throughput(command: readonly string[], old: boolean, lines = LINES): Promise<Throughput> {
  const tls = makeCertificate(folder);
  const sink = fork(join(import.meta.dirname, "forwarder-sink.ts"), [tls.cert, tls.key]);
  const port = await new Promise<number>((resolve) =>
    sink.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const ask = () =>
    new Promise<{ events: number; cpu: NodeJS.CpuUsage }>((resolve) => {
      sink.once("message", (message) => resolve(message as { events: number; cpu: NodeJS.CpuUsage }));
      sink.send("ask");
    });
  const cwd = mkdtempSync(join(folder, "run-"));
  const network = { servers: [`localhost:${port}`], "ssl ca": tls.cert, timeout: 15 };
  const fields = { type: "mesos-slave", app_name: "bench", environment: "production" };
  const config = old
    ? { network, files: [{ paths: [join(folder, "big.log")], fields }] }
    : {
        network: { ...network, "protocol version": Number(values.protocol) },
        files: [{ paths: [join(folder, "big.log")], fields }],
        registry: { path: join(cwd, "registry.json") },
      };
  writeFileSync(join(cwd, "config.json"), JSON.stringify(config));
  const [program = "", ...args] = command;
  const child: ChildProcess = spawn(program, [...args, "-quiet", "-config", join(cwd, "config.json")], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.add(child);
  let [first, last, seen] = [0, 0, 0];
  let state = await ask();
  let used = { cpu: 0, peak: 0 };
  while (state.events < lines && child.exitCode === null) {
    await sleep(20);
    state = await ask();
    if (first === 0 && state.events > 0) [first, seen] = [performance.now(), state.events];
    last = performance.now();
    if (child.pid !== undefined && child.exitCode === null) used = usage(child.pid);
  }
  const rate = (state.events - seen) / ((last - first) / 1000);
  const sinkCpu = (state.cpu.user + state.cpu.system) / state.events;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
  sink.disconnect();
  return { rate, each: (used.cpu * 1000) / state.events, receiver: sinkCpu, peak: used.peak };
}

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
  await sleep(6000 + files);
  const pid = child.pid ?? 0;
  const before = cpuOf(pid);
  await sleep(seconds * 1000);
  const used = cpuOf(pid) - before;
  const peak = peakOf(pid);
  child.kill("SIGTERM");
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

async function latency(program: string): Promise<void> {
  const path = join(folder, "slow.log");
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
  for (let line = 0; line < 2000; line++) {
    appendFileSync(path, `${Date.now()}\n`);
    await sleep(10);
  }
  await sleep(500);
  const after = usage(child.pid ?? 0);
  child.kill("SIGTERM");
  await receiver.close();
  times.sort((a, b) => a - b);
  report([
    {
      ...{ id: "forwarder-latency", what: "append to acknowledgement, p99, 100 lines/s", unit: "ms" },
      value: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
      goal: { atMost: 100 },
      bound: "the looks at the file, and the pause for a full window",
    },
    {
      ...{
        id: "forwarder-slow-cpu",
        what: "the forwarder meanwhile",
        value: (after.cpu - before.cpu) / 205,
        unit: "% CPU",
      },
      bound: "a read, a window and a registry for nearly every line",
    },
  ]);
}

/** Processes that are ours, ended with us. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/** What a zlib run over the same text takes, in microseconds a line: the least that shipping compressed lines can. */
function zlibPrice(path: string, lines: number): number {
  const text = readFileSync(path);
  const before = process.cpuUsage();
  for (let at = 0; at < text.length; at += 1 << 18) deflateSync(text.subarray(at, at + (1 << 18)), { level: 1 });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / lines;
}

async function short(program: string): Promise<void> {
  const path = join(folder, "big.log");
  writeLines(path, LINES);
  const price = zlibPrice(path, LINES);
  const ours = await throughput([process.execPath, program], false);
  const other = values.other === undefined ? undefined : await throughput([values.other], true);
  const beside = (value: number | undefined) => value !== undefined && { peer: { what: "the other", value } };
  report([
    {
      ...{
        id: "forwarder-rate",
        what: "lines of 150 bytes shipped",
        value: ours.rate,
        unit: "/s",
        ...beside(other?.rate),
      },
      ...(other !== undefined && { goal: { atLeast: 8 * other.rate } }),
      bound: "the processors, which the receiver shares; else the round trip of 4 windows and the registry's fsync",
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
  const { peak } = await throughput([process.execPath, program], false, lines);
  report([
    {
      ...{ id: "forwarder-peak-long", what: "the same with lines of a megabyte", value: peak, unit: "MB" },
      goal: { atMost: 90 },
      bound: "Node itself, a batch and a window",
    },
  ]);
}

try {
  const wanted = (name: string) => values.only === undefined || values.only.split(",").includes(name);
  const program = await bundleForwarder(folder);
  if (wanted("throughput")) await short(program);
  if (wanted("long")) await long(program);
  if (wanted("latency")) await latency(program);
  if (wanted("idle")) await idle(program);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
