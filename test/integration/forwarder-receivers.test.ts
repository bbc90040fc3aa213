import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";
import type { ReceiverOptions } from "../support/lumberjack-receiver.ts";

const { place, receive, start } = forwarderSuite("receivers");

describe("receivers", () => {
  const kinds: [string, ReceiverOptions, object][] = [
    [
      "the Beats input, version 1, slow with keepalives",
      { mode: "beats", delay: 30, keepalive: 5 },
      { "protocol version": 1 },
    ],
    ["the Beats input, version 2", { mode: "beats" }, { "protocol version": 2 }],
    ["go-lumber with a window limit of 100", { mode: "go-lumber", windowLimit: 100 }, { "protocol version": 2 }],
    [
      "go-lumber with a window limit of 100 that is slow to acknowledge",
      { mode: "go-lumber", windowLimit: 100, delay: 20 },
      { "protocol version": 2 },
    ],
    ["the old Ruby input, version 1", { mode: "ruby" }, { "protocol version": 1 }],
    ["the old Ruby input, version 2, acknowledging in parts", { mode: "ruby" }, { "protocol version": 2 }],
    ["one that speaks version 2 only", { versions: [2] }, {}],
    ["one that speaks version 1 only", { versions: [1] }, {}],
  ];
  it.each(kinds)("%s", async (_, options, network) => {
    const folder = place();
    const receiver = await receive(options);
    writeFileSync(join(folder, "a.log"), textOf(numbered(3000)));
    const forwarder = start(configure(folder, [receiver.port], { network }));
    await until(() => receiver.events.length >= 3000, "all lines", forwarder.log);
    appendFileSync(join(folder, "a.log"), textOf(numbered(3, 3000)));
    await until(() => receiver.events.length >= 3003, "three more lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(3003));
    expect(receiver.violations).toEqual([]);
  });

  it("one that closes idle connections is connected to again without a complaint", async () => {
    const folder = place();
    const receiver = await receive({ idleClose: 300 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length === 1, "the first line", forwarder.log);
    await until(() => receiver.open === 0, "the connection is closed", forwarder.log);
    appendFileSync(join(folder, "a.log"), "two\n");
    await until(() => receiver.events.length === 2, "the second line", forwarder.log);
    expect(receiver.connections).toBe(2);
    expect(forwarder.log()).not.toContain("WARNING");
  });

  const broken: [string, ReceiverOptions, string][] = [
    ["that never answers", { silent: true }, "was not acknowledged"],
    [
      "that answers garbage",
      { garbage: Buffer.from("HTTP/1.1 400 Bad Request\r\n") },
      "is this a Lumberjack receiver?",
    ],
    [
      "that acknowledges what was not sent",
      { garbage: Buffer.from([0x31, 0x41, 0, 0, 0xff, 0]) },
      "acknowledgement 65280 of a window",
    ],
    ["that says it is alive for ever", { delay: 1e9, keepalive: 50 }, "was not acknowledged"],
  ];
  it.each(broken)("one %s is left for another", async (_, options, complaint) => {
    const folder = place();
    const bad = await receive(options);
    const good = await receive();
    writeFileSync(join(folder, "a.log"), textOf(numbered(100)));
    const network = { timeout: 0.3, "maximum wait": 0.6, "protocol version": 1 };
    // Which server is picked first is chance: with one only, the other joins by a reload.
    const config = configure(folder, [bad.port], { network });
    const forwarder = start(config);
    await until(() => forwarder.log().includes(complaint), "the complaint", forwarder.log);
    configure(folder, [bad.port, good.port], { network });
    forwarder.process.kill("SIGHUP");
    await until(() => new Set(linesOf(good)).size >= 100, "all lines at the other one", forwarder.log);
    expect([...new Set(linesOf(good))]).toEqual(numbered(100));
  });

  it("several share the load", async () => {
    const folder = place();
    // Slow enough that neither is done before the other is connected.
    const both = [await receive({ delay: 25 }), await receive({ delay: 25 })];
    writeFileSync(join(folder, "a.log"), textOf(numbered(5000)));
    const ports = both.map(({ port }) => port);
    const forwarder = start(
      configure(folder, ports, { network: { "load balance": true }, shipping: { "bulk size": 64 } }),
    );
    await until(() => both.flatMap(linesOf).length >= 5000, "all lines", forwarder.log);
    for (const receiver of both) expect(receiver.events.length).toBeGreaterThan(0);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(new Set(both.flatMap(linesOf))).toEqual(new Set(numbered(5000)));
    expect(both.flatMap(linesOf)).toHaveLength(5000);
  });

  it("one that takes a window and dies before it says so: exactly that window is doubled", async () => {
    const folder = place();
    const receiver = await receive({ loseAcks: 1 });
    writeFileSync(join(folder, "a.log"), textOf(numbered(1000)));
    const forwarder = start(configure(folder, [receiver.port], { shipping: { "bulk size": 50 } }));
    await until(() => new Set(linesOf(receiver)).size >= 1000, "all lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(receiver.events.length - 1000).toBe(receiver.windows[0]);
  });
});
