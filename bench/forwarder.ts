/**
 * What the forwarder costs: throughput and CPU per event over TLS on loopback, memory, idle CPU with 1,000 files, and
 * the time from append to acknowledgement.
 *
 *   npm run bench forwarder -- [--lines 1000000] [--other PATH] [--protocol 1|2] [--only throughput|idle|latency]
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
import { bundleForwarder } from "../test/support/forwarder.ts";
import { LumberjackReceiver } from "../test/support/lumberjack-receiver.ts";
import { makeCertificate } from "./certificate.ts";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    other: { type: "string" },
    protocol: { type: "string", default: "1" },
    only: { type: "string" },
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

async function throughput(name: string, command: readonly string[], old: boolean): Promise<void> {
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
  const begun = performance.now();
  const [program = "", ...args] = command;
  const child: ChildProcess = spawn(program, [...args, "-quiet", "-config", join(cwd, "config.json")], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.add(child);
  let [first, last, seen] = [0, 0, 0];
  let state = await ask();
  let used = { cpu: 0, peak: 0 };
  while (state.events < LINES && child.exitCode === null) {
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
  console.log(
    `${name}: ${Math.round(rate).toLocaleString("en")} events/s, ${((used.cpu * 1000) / state.events).toFixed(2)} µs CPU an event ` +
      `(start included), peak ${used.peak.toFixed(0)} MB, ${((last - begun) / 1000).toFixed(2)} s in all; ` +
      `the sink took ${sinkCpu.toFixed(2)} µs an event: together ${((rate * ((used.cpu * 1000) / state.events + sinkCpu)) / 1e6).toFixed(2)} processors busy`,
  );
}

async function idle(program: string): Promise<void> {
  const logs = join(folder, "many");
  mkdirSync(logs);
  for (let index = 0; index < 1000; index++) writeFileSync(join(logs, `${index}.log`), `line of ${index}\n`);
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
  await sleep(6000);
  const pid = child.pid ?? 0;
  const before = usage(pid);
  await sleep(30_000);
  const after = usage(pid);
  child.kill("SIGTERM");
  await receiver.close();
  console.log(
    `idle with 1,000 files: ${((after.cpu - before.cpu) / 300).toFixed(2)} % CPU over 30 s, peak ${after.peak.toFixed(0)} MB`,
  );
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
  const at = (part: number) => times[Math.floor(times.length * part)];
  console.log(
    `append to acknowledgement at 100 lines/s: median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${times.at(-1)} ms (${times.length} lines); ` +
      `${((after.cpu - before.cpu) / 205).toFixed(1)} % CPU`,
  );
}

/** Processes that are ours, ended with us. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

try {
  const wanted = (name: string) => values.only === undefined || values.only === name;
  const program = await bundleForwarder(folder);
  if (wanted("throughput")) {
    writeLines(join(folder, "big.log"), LINES);
    console.log(
      `${LINES.toLocaleString("en")} lines of 150 bytes, TLS on loopback, one Node receiver that inflates and acknowledges`,
    );
    await throughput(`logstash-forwarder (this one, protocol ${values.protocol})`, [process.execPath, program], false);
    if (values.other !== undefined) await throughput(values.other, [values.other], true);
    console.log(
      "bound by: the processors (forwarder and receiver share them) where 'together' nears their number; else by the round trip of 4 windows and the registry's fsync",
    );
  }
  if (wanted("latency")) await latency(program);
  if (wanted("idle")) await idle(program);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
