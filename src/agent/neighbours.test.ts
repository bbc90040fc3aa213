import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { neighboursOf } from "./neighbours.ts";

const folder = mkdtempSync(join(tmpdir(), "neighbours-"));
afterAll(() => rmSync(folder, { recursive: true }));

const member = (name: string, value: string): string => `<member><name>${name}</name><value>${value}</value></member>`;
const process = [
  member("name", "<string>mesos</string>"),
  member("group", "<string>mesos</string>"),
  member("statename", "<string>FATAL</string>"),
  member("start", "<int>17</int>"),
  member("exitstatus", "<int>3</int>"),
  member("spawnerr", "<string>Exited too quickly</string>"),
].join("");
const answer = `<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><struct>${process}</struct></value></data></array></value></param></params></methodResponse>`;

it("asks supervisord where it says that it is, and reads redpill's verdict beside it", async () => {
  const socket = join(folder, "supervisor.sock");
  const server = createServer((connection) => {
    connection.once("data", () =>
      connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`),
    );
  });
  await new Promise<void>((done) => server.listen(socket, done));
  writeFileSync(join(folder, "redpill.verdict"), "70 mesos entered the FATAL state\n");
  const ask = neighboursOf({ SUPERVISOR_SERVER_URL: `unix://${socket}` }, systemClock);
  expect(await ask()).toEqual({
    services: [{ name: "mesos", state: "FATAL", start: 17, exitStatus: 3, problem: "Exited too quickly" }],
    verdict: "70 mesos entered the FATAL state",
  });
  await new Promise((done) => server.close(done));
});

it("knows of nobody where there is no supervisord, and says when one does not answer", async () => {
  expect(await neighboursOf({}, systemClock)()).toEqual({ services: [] });
  const gone = `unix://${join(folder, "gone", "supervisor.sock")}`;
  expect(await neighboursOf({ SUPERVISOR_SERVER_URL: gone }, systemClock)()).toEqual({ services: [] });
  const file = join(folder, "no-socket");
  writeFileSync(file, "");
  expect(await neighboursOf({ SUPERVISOR_SERVER_URL: `unix://${file}` }, systemClock)()).toMatchObject({
    services: [],
    servicesProblem: expect.stringContaining(file),
  });
});
