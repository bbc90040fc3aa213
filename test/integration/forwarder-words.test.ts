import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FIRST_CONFIGURATION } from "../../src/forwarder/config/docs.ts";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";

const ROOT = join(import.meta.dirname, "../..");
const { place, receive, start } = forwarderSuite("words");

describe("the first hour with the forwarder", () => {
  it("the configuration at the beginning of its page works, and it says what it does", async () => {
    const folder = place();
    const receiver = await receive();
    mkdirSync(join(folder, "nginx"));
    writeFileSync(join(folder, "syslog.log"), textOf(numbered(3)));
    writeFileSync(join(folder, "nginx/access.log"), "GET /\n");
    const text = FIRST_CONFIGURATION.replaceAll("/var/log", folder).replace(
      "localhost:5043",
      `localhost:${receiver.port}`,
    );
    const config = join(folder, "forwarder.json");
    writeFileSync(config, text);
    const registry = ["-registry", join(folder, "registry.json")];
    const tapped = start(config, ["-tap", "-once", ...registry]);
    expect(await tapped.exit).toBe(0);
    const events = tapped
      .output()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map(({ message, type }) => `${type} ${message}`).sort()).toEqual([
      "nginx GET /",
      "syslog line 0",
      "syslog line 1",
      "syslog line 2",
    ]);
    const shipped = start(config, ["-once", ...registry]);
    expect(await shipped.exit).toBe(0);
    expect(linesOf(receiver)).toHaveLength(4);
    expect(shipped.log()).toContain(`connected to localhost:${receiver.port}`);
    expect(shipped.log()).toContain("shipped 4 events");
    const again = start(config, ["-once", ...registry]);
    expect(await again.exit).toBe(0);
    expect(again.log()).toContain("shipped 0 events: there is nothing new in 2 files");
  });

  it("the sink prints what it gets, without TLS too", async () => {
    const folder = place();
    const port = await freePort();
    writeFileSync(join(folder, "a.log"), "one\ntwo\n");
    const sink = spawn(process.execPath, [join(ROOT, "src/main/lumberjack-sink.ts"), "--listen", `127.0.0.1:${port}`]);
    try {
      let printed = "";
      sink.stdout.on("data", (text) => {
        printed += text;
      });
      const forwarder = start(configure(folder, [port]), []);
      await until(() => printed.split("\n").length === 3, "both lines", forwarder.log);
      expect(
        printed
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line).line),
      ).toEqual(["one", "two"]);
    } finally {
      sink.kill("SIGKILL");
    }
  });

  it("a sink whose output nobody reads ends, and has taken nothing: the next one gets it", async () => {
    const folder = place();
    const port = await freePort();
    writeFileSync(join(folder, "a.log"), "one\ntwo\n");
    const words = [join(ROOT, "src/main/lumberjack-sink.ts"), "--listen", `127.0.0.1:${port}`];
    const unread = spawn(process.execPath, words);
    unread.stdout.destroy();
    const ended = once(unread, "exit");
    const forwarder = start(configure(folder, [port]), []);
    expect((await ended)[0]).toBe(141);
    const sink = spawn(process.execPath, words);
    try {
      let printed = "";
      sink.stdout.on("data", (text) => {
        printed += text;
      });
      await until(() => printed.split("\n").length === 3, "both lines", forwarder.log);
    } finally {
      sink.kill("SIGKILL");
    }
  });

  it("-once that finds no file at all is a fault, with -quiet too", async () => {
    const folder = place();
    const forwarder = start(configure(folder, [1]), ["-once", "-quiet"]);
    expect(await forwarder.exit).toBe(2);
    expect(forwarder.log()).toContain(`nothing was read: no file matches ${join(folder, "*.log")}`);
  });

  it("says which patterns match no file, and takes up what appears later", async () => {
    const folder = place();
    const receiver = await receive();
    const files = [{ paths: [join(folder, "*.log"), join(folder, "later/*.txt")] }];
    const forwarder = start(configure(folder, [receiver.port], { more: { files } }));
    await until(() => forwarder.log().includes("later/*.txt"), "the word", forwarder.log);
    expect(forwarder.log()).toContain(`no file matches '${join(folder, "*.log")}' yet`);
    mkdirSync(join(folder, "later"));
    writeFileSync(join(folder, "later/a.txt"), "one\n");
    await until(() => receiver.events.length === 1, "the line", forwarder.log);
    forwarder.process.kill("SIGTERM");
    await forwarder.exit;
    expect(forwarder.log()).toContain("shipped 1 events");
  });

  it.each([
    ["-versoin", "did you mean -version?"],
    ["-valdate", "did you mean -validate?"],
    ["--onse", "did you mean -once?"],
  ])("%s suggests the nearest flag", async (flag, words) => {
    const forwarder = start(configure(place(), [1]), [flag]);
    expect([await forwarder.exit, forwarder.log()]).toEqual([1, expect.stringContaining(words)]);
  });

  it("names a variable that is not set, also where it leads to a fault", async () => {
    const folder = place();
    const more = { network: { servers: ["$NOT_THERE_AT_ALL"] } };
    const forwarder = start(configure(folder, [], { more }), ["-validate"]);
    expect(await forwarder.exit).toBe(2);
    expect(forwarder.log()).toContain("$NOT_THERE_AT_ALL is not set");
    expect(forwarder.log()).toContain("'' is not a server");
  });
});
