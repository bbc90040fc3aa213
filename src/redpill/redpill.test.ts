import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { type Options, optionsOf, UsageError } from "./options.ts";
import { Redpill } from "./redpill.ts";
import { Supervisor } from "./supervisor.ts";

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
      const value = method.endsWith("ProcessInfo") ? processes() : "<value><string>a line\n</string></value>";
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

function make(words: readonly string[] = []): Redpill {
  const file = (name: string): string => join(folder, name);
  return new Redpill({
    options: optionsOf(["-s", "mesos", ...words], {}) as Options,
    supervisor: new Supervisor(file("socket"), systemClock),
    files: { verdict: file("verdict"), cleanup: file("cleanup"), alive: file("alive") },
    clock: systemClock,
    log: (line) => void lines.push(line),
    environment: {},
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
