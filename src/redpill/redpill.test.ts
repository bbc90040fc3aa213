import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { type Options, optionsOf, UsageError } from "./options.ts";
import { Redpill, type RedpillFiles } from "./redpill.ts";

let folder = "";
let server: Server;
let calls: string[] = [];
let state = "RUNNING";
const lines: string[] = [];

const processes = (): string =>
  `<value><array><data><value><struct>${[
    ["name", "<string>mesos</string>"],
    ["group", "<string>mesos</string>"],
    ["statename", `<string>${state}</string>`],
    ["start", "<int>1</int>"],
    ["exitstatus", "<int>0</int>"],
    ["spawnerr", "<string></string>"],
  ]
    .map(([name, value]) => `<member><name>${name}</name><value>${value}</value></member>`)
    .join("")}</struct></value></data></array></value>`;

const string = (text: string): string => `<value><string>${text}</string></value>`;

/** supervisord at the wire: answers what redpill asks. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "redpill-"));
  calls = [];
  lines.length = 0;
  state = "RUNNING";
  server = createServer((socket) => {
    socket.once("data", (chunk) => {
      const method = /<methodName>(.*?)<\/methodName>/.exec(chunk.toString())?.[1] ?? "";
      calls.push(method);
      const value = method.endsWith("ProcessInfo") ? processes() : string("a line\n");
      const body = `<methodResponse><params><param>${value}</param></params></methodResponse>`;
      // In two parts, as a busy server would.
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
  });
  await new Promise<void>((done) => server.listen(join(folder, "socket"), done));
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const filesBelow = (path: string): RedpillFiles => ({
  verdict: join(path, "verdict"),
  cleanup: join(path, "cleanup"),
  reloading: join(path, "reloading"),
  alive: join(path, "alive"),
});

function make(words: readonly string[] = [], isListener = false): Redpill {
  const file = (name: string): string => join(folder, name);
  return new Redpill({
    options: optionsOf(["-s", "mesos", ...words], {}) as Options,
    supervisor: new Supervisor(file("socket"), systemClock),
    files: filesBelow(folder),
    clock: systemClock,
    log: (line) => void lines.push(line),
    environment: {},
    isListener,
  });
}

const fatal = { name: "PROCESS_STATE_FATAL", group: "mesos", process: "mesos", expected: false };

test("FATAL: verdict on disk before anything else, then supervisord is told to stop", async () => {
  const redpill = make();
  await redpill.start();
  redpill.event(fatal);
  expect(readFileSync(join(folder, "verdict"), "utf8")).toBe("70 mesos entered the FATAL state\n");
  expect(await redpill.ended).toBe(70);
  expect(calls).toContain("supervisor.shutdown");
  expect(lines.join("\n")).toContain("a line");
});

test("a service that is FATAL already when it starts", async () => {
  state = "FATAL";
  const redpill = make();
  await redpill.start();
  expect(await redpill.ended).toBe(70);
});

test("FATAL after a stop changes nothing", async () => {
  const redpill = make();
  await redpill.start();
  await redpill.stop();
  redpill.event(fatal);
  expect(await redpill.ended).toBe(0);
  expect(calls).not.toContain("supervisor.shutdown");
  expect(() => readFileSync(join(folder, "verdict"))).toThrow("ENOENT");
});

test("it notes when supervisord last answered", async () => {
  const redpill = make(["-i", "7"]);
  await redpill.start();
  expect(readFileSync(join(folder, "alive"), "utf8")).toMatch(/^\d{10} 7\n$/);
  await redpill.stop();
});

test("a service that supervisord does not know", async () => {
  const redpill = make(["-s", "other"]);
  await expect(redpill.start()).rejects.toThrow("supervisord does not know other");
  await expect(redpill.start()).rejects.toBeInstanceOf(UsageError);
});

test("the container's own watchdog says which name is wrong, and watches the rest", async () => {
  const redpill = make(["-s", "messo"], true);
  await redpill.start();
  expect(lines.join("\n")).toContain("supervisord does not know messo; it knows mesos: did you mean mesos?");
  redpill.event(fatal);
  expect(await redpill.ended).toBe(70);
});

test("with no right name at all it watches the agent; by hand it is an error", async () => {
  const options = { ...(optionsOf(["-s", "mesos-slave"], {}) as Options) };
  const file = (name: string): string => join(folder, name);
  const parts = {
    options,
    supervisor: new Supervisor(file("socket"), systemClock),
    files: filesBelow(folder),
    clock: systemClock,
    log: (line: string) => void lines.push(line),
    environment: {},
  };
  await expect(new Redpill({ ...parts, isListener: false }).start()).rejects.toThrow("does not know mesos-slave");
  const redpill = new Redpill({ ...parts, isListener: true });
  await redpill.start();
  redpill.event(fatal);
  expect(await redpill.ended).toBe(70);
});

test.for([
  ["begins again: no clean-up", 0],
  ["ends: one clean-up", 1],
] as const)("TERM while supervisord %s", async ([, times]) => {
  const script = join(folder, "cleanup.sh");
  writeFileSync(script, `echo ran >> ${join(folder, "ran")}\n`);
  if (times === 0) writeFileSync(join(folder, "reloading"), "");
  const redpill = make(["-c", script], true);
  await redpill.start();
  await redpill.stop();
  expect(await redpill.ended).toBe(0);
  expect(existsSync(join(folder, "ran"))).toBe(times === 1);
});
