import { appendFileSync, linkSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, until } from "../support/forwarder.ts";
import type { LumberjackReceiver } from "../support/lumberjack-receiver.ts";

const { place, receive, start } = forwarderSuite("entries");

const sentOf = ({ events }: LumberjackReceiver): string[] =>
  events.map(({ fields, line }) => `${fields["for"] ?? ""} ${line}`).sort();

describe("a file that several entries name", () => {
  it("goes out for each with its fields, over restarts, reloads and rotation", async () => {
    const folder = place();
    const receiver = await receive();
    const log = join(folder, "a.log");
    writeFileSync(log, "one\n");
    writeFileSync(join(folder, "b.log"), "b\n");
    const files = [
      { paths: [log], fields: { for: "1" } },
      { paths: [join(folder, "*.log")], fields: { for: "2" } },
    ];
    const config = configure(folder, [receiver.port], { more: { files } });
    let forwarder = start(config);
    const expected = ["1 one", "2 b", "2 one"];
    const arrives = async (what: string) => {
      await until(() => receiver.events.length >= expected.length, what, forwarder.log);
      expect(sentOf(receiver)).toEqual(expected.sort());
    };
    await arrives("at first");
    expect(forwarder.log()).toContain(`'${log}' is named by several entries of 'files'`);
    appendFileSync(log, "two\n");
    expected.push("1 two", "2 two");
    await arrives("what is added");
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    forwarder = start(config);
    appendFileSync(log, "three\n");
    expected.push("1 three", "2 three");
    await arrives("after a restart");
    forwarder.process.kill("SIGHUP");
    await until(() => forwarder.log().includes("is read again"), "the reload", forwarder.log);
    appendFileSync(log, "four\n");
    renameSync(log, join(folder, "a.1"));
    writeFileSync(log, "five\n");
    expected.push("1 four", "2 four", "1 five", "2 five");
    await arrives("after a reload and a rotation");
    forwarder.process.kill("SIGTERM");
    await forwarder.exit;
    expect(sentOf(receiver)).toEqual(expected.sort());
  });

  it("is known by the name of a link, too", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "real.log"), "one\n");
    symlinkSync(join(folder, "real.log"), join(folder, "link.log"));
    const files = ["real.log", "link.log"].map((name) => ({ paths: [join(folder, name)], fields: { for: name } }));
    const forwarder = start(configure(folder, [receiver.port], { more: { files } }));
    await until(() => receiver.events.length >= 2, "both", forwarder.log);
    expect(sentOf(receiver)).toEqual(["link.log one", "real.log one"]);
  });

  it.each([
    [
      "a link",
      "real/a.log",
      "link.log",
      (folder: string) => symlinkSync(join(folder, "real/a.log"), join(folder, "link.log")),
    ],
    [
      "a linked folder",
      "real/*.log",
      "link/*.log",
      (folder: string) => symlinkSync(join(folder, "real"), join(folder, "link")),
    ],
    [
      "a hard link",
      "real/*.log",
      "hard.log",
      (folder: string) => linkSync(join(folder, "real/a.log"), join(folder, "hard.log")),
    ],
    [
      "a link that a pattern finds",
      "real/*.log",
      "*.log",
      (folder: string) => symlinkSync(join(folder, "real/a.log"), join(folder, "link.log")),
    ],
  ])("by the name of %s, too: over restarts and reloads, in either order", async (_, real, other, link) => {
    for (const patterns of [
      [real, other],
      [other, real],
    ]) {
      const folder = place();
      const receiver = await receive();
      mkdirSync(join(folder, "real"));
      writeFileSync(join(folder, "real/a.log"), "1\n");
      link(folder);
      const files = patterns.map((pattern) => ({ paths: [join(folder, pattern)], fields: { for: pattern } }));
      const config = configure(folder, [receiver.port], { more: { files } });
      let forwarder = start(config);
      const arrives = async (lines: number) =>
        await until(() => receiver.events.length >= 2 * lines, `line ${lines}`, forwarder.log, 10_000);
      await arrives(1);
      forwarder.process.kill("SIGTERM");
      expect(await forwarder.exit).toBe(0);
      forwarder = start(config);
      for (let line = 2; line <= 4; line++) {
        appendFileSync(join(folder, "real/a.log"), `${line}\n`);
        await arrives(line);
        forwarder.process.kill("SIGHUP");
        await until(() => forwarder.log().split("is read again").length === line, "the reload", forwarder.log);
      }
      forwarder.process.kill("SIGTERM");
      await forwarder.exit;
      expect(sentOf(receiver)).toEqual(patterns.flatMap((one) => [1, 2, 3, 4].map((line) => `${one} ${line}`)).sort());
    }
  });

  it("by a link that comes later: that is said, and set right by a reload", async () => {
    const folder = place();
    const receiver = await receive();
    const log = join(folder, "a.log");
    writeFileSync(log, "one\n");
    const files = ["a.log", "*.link"].map((name) => ({ paths: [join(folder, name)], fields: { for: name } }));
    const forwarder = start(configure(folder, [receiver.port], { more: { files } }));
    await until(() => receiver.events.length === 1, "the line", forwarder.log);
    symlinkSync(log, join(folder, "a.link"));
    await until(() => forwarder.log().includes("another entry of 'files' follows"), "the warning", forwarder.log);
    forwarder.process.kill("SIGHUP");
    await until(() => receiver.events.length >= 2, "the other's", forwarder.log);
    expect(sentOf(receiver)).toEqual(["*.link one", "a.log one"]);
  });

  it("of which the old program had one position goes on there for each", async () => {
    const folder = place();
    const receiver = await receive();
    const log = join(folder, "a.log");
    writeFileSync(log, "one\ntwo\n");
    const { ino, dev } = statSync(log);
    writeFileSync(
      join(folder, "old.json"),
      JSON.stringify({ [log]: { source: log, offset: 4, inode: ino, device: dev } }),
    );
    const files = ["1", "2"].map((name) => ({ paths: [log], fields: { for: name } }));
    const registry = { path: join(folder, "registry.json"), import: join(folder, "old.json") };
    const forwarder = start(configure(folder, [receiver.port], { more: { files, registry } }));
    await until(() => receiver.events.length >= 2, "the rest", forwarder.log);
    expect(sentOf(receiver)).toEqual(["1 two", "2 two"]);
  });
});
