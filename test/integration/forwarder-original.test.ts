import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, closeSync, constants, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, until } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";

const { place, program, receive, start } = forwarderSuite("original");
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("what the original did, and what it should have done", () => {
  it.each([0, "0s", null, ""])("a timeout of %j is the default: a slow receiver is waited for", async (timeout) => {
    const folder = place();
    const receiver = await receive({ delay: 700 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port], { network: { timeout } }));
    await until(() => receiver.events.length === 1, "the line", forwarder.log);
    await pause(1000);
    expect([linesOf(receiver), receiver.connections]).toEqual([["one"], 1]);
  });

  it("a connection has a lifetime, when a balancer wants it", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "");
    const forwarder = start(configure(folder, [receiver.port], { network: { "connection lifetime": "300ms" } }));
    const written: string[] = [];
    for (let line = 0; receiver.connections < 4; line++) {
      written.push(`line ${line}`);
      appendFileSync(join(folder, "a.log"), `line ${line}\n`);
      await pause(20);
      if (line > 1000) throw new Error(forwarder.log());
    }
    await until(() => receiver.events.length >= written.length, "all lines", forwarder.log);
    expect(linesOf(receiver), "nothing is doubled by it").toEqual(written);
    expect(forwarder.log()).not.toMatch(/WARNING|ERROR/);
  });

  it("one line and a backtracking pattern stop neither other files nor TERM", async () => {
    const folder = place();
    const receiver = await receive();
    const nested = "^(\\w+\\s?)*$";
    const line = `${"a".repeat(60)}!\n`;
    writeFileSync(join(folder, "a.log"), line);
    writeFileSync(join(folder, "b.log"), line);
    const files = [
      { paths: [join(folder, "a.log")], "exclude lines": [nested] },
      { paths: [join(folder, "b.log")], multiline: { pattern: nested, "maximum time": "50ms" } },
      { paths: [join(folder, "c.log")], "include lines": ["(?i)OTHER"] },
    ];
    const forwarder = start(configure(folder, [receiver.port], { more: { files } }));
    writeFileSync(join(folder, "c.log"), "some other line\nnot wanted\n");
    await until(() => receiver.events.length === 3, "all three", forwarder.log);
    const begun = performance.now();
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  it("a console that nobody reads stops neither shipping nor TERM", async () => {
    const folder = place();
    const receiver = await receive();
    const names = Array.from({ length: 1000 }, (_, number) => join(folder, `${"long-name-".repeat(12)}${number}.log`));
    for (const name of names) writeFileSync(name, "one\n");
    const config = configure(folder, [receiver.port]);
    execFileSync("mkfifo", [join(folder, "console")]);
    // A pipe holds 64 KB, and what is said of so many files is more.
    const console = openSync(join(folder, "console"), constants.O_RDWR);
    const child = spawn(process.execPath, [program(), "-config", config], { stdio: ["ignore", "ignore", console] });
    await until(
      () => receiver.events.length === names.length,
      "all lines",
      () => "(nobody reads)",
    );
    const begun = performance.now();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(3000);
    closeSync(console);
  });

  it("members of JSON lines arrive as they were written, in version 2 and in version 1", async () => {
    const line = '{"id":9007199254740993,"trace":12345678901234567890,"f":1.0,"e":1e400,"s":"\\u00fc"}';
    for (const version of [1, 2]) {
      const folder = place();
      const receiver = await receive();
      writeFileSync(join(folder, "a.log"), `${line}\n`);
      const network = { "protocol version": version };
      const forwarder = start(configure(folder, [receiver.port], { network, file: { json: true } }));
      await until(() => receiver.events.length === 1, "the line", forwarder.log);
      expect(receiver.events[0]?.line).toBe(line);
      if (version === 1)
        expect(receiver.events[0]?.fields).toMatchObject({
          id: "9007199254740993",
          trace: "12345678901234567890",
          f: "1.0",
          e: "1e400",
          s: "ü",
        });
      else
        expect(receiver.events[0]?.json).toContain(
          '"id":9007199254740993,"trace":12345678901234567890,"f":1.0,"e":1e400',
        );
    }
  });

  it("keeps version 1 over receivers that hang up, and tells of the lag meanwhile", async () => {
    const folder = place();
    const receiver = await receive({ loseAcks: 2 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length === 3, "the line, twice lost", forwarder.log);
    expect(receiver.events.map(({ version }) => version)).toEqual([1, 1, 1]);
    expect(receiver.events[0]?.fields).toHaveProperty("line");
  });

  it("a lag of seconds and bytes that are those of the file, with the receiver away", async () => {
    const folder = place();
    const [away, port] = [await freePort(), await freePort()];
    writeFileSync(join(folder, "a.log"), "x\n");
    const more = { monitoring: { address: `127.0.0.1:${port}` }, reading: { "scan interval": "1h" } };
    const forwarder = start(configure(folder, [away], { more }));
    await until(() => forwarder.log().includes("nothing listens there"), "a failure", forwarder.log);
    let bytes = 2;
    for (const end = Date.now() + 3000; Date.now() < end; await pause(20)) {
      appendFileSync(join(folder, "a.log"), `${"y".repeat(99)}\n`);
      bytes += 100;
    }
    const status = (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as {
      files: { lagBytes: number; lagSeconds: number }[];
      lag: { bytes: number; seconds: number };
    };
    expect(status.lag.bytes).toBe(bytes);
    expect(status.files[0]?.lagSeconds).toBeGreaterThan(2.9);
    expect(status.lag.seconds).toBe(status.files[0]?.lagSeconds);
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain(
      `logstash_forwarder_lag_bytes ${bytes}`,
    );
  });
});
