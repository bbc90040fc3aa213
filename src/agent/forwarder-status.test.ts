import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { forwarderStatus } from "./forwarder-status.ts";

const folder = mkdtempSync(join(tmpdir(), "forwarder-status-"));
afterAll(() => rmSync(folder, { recursive: true }));

const status = {
  version: "2.0.0",
  shipped: { events: 17, bytesRead: 1, windows: 1 },
  lag: { bytes: 300, seconds: 4 },
  servers: [{ server: "logstash:5000", state: "ready", failures: 0 }],
  files: [
    { source: "/var/log/a", lagBytes: 100, lagSeconds: 1, path: "/var/log/a" },
    { source: "/var/log/b", lagBytes: 200, lagSeconds: 4 },
  ],
};

it("is what the forwarder says where its configuration has it listen, furthest behind first", async () => {
  const server = createServer((_request, response) => response.end(JSON.stringify(status)));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(folder, "mesos-slave.conf"), JSON.stringify({ network: {}, monitoring: { address } }));
  expect(await forwarderStatus(folder)).toEqual({
    events: 17,
    lag: { bytes: 300, seconds: 4 },
    servers: [{ server: "logstash:5000", state: "ready" }],
    files: [
      { source: "/var/log/b", lagBytes: 200, lagSeconds: 4 },
      { source: "/var/log/a", lagBytes: 100, lagSeconds: 1 },
    ],
  });
  await new Promise((done) => server.close(done));
  expect(await forwarderStatus(folder)).toEqual({ problem: expect.stringContaining(`${address} does not answer`) });
});

it("is nothing without a configuration, or with one that serves nothing or is not whole", async () => {
  expect(await forwarderStatus(join(folder, "gone"))).toBeUndefined();
  const other = mkdtempSync(join(folder, "other-"));
  writeFileSync(join(other, "a.conf"), '{"network": {}}');
  writeFileSync(join(other, "b.conf"), '{"monito');
  expect(await forwarderStatus(other)).toBeUndefined();
});
