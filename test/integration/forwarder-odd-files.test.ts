/** What the forwarder makes of files that are odd in themselves: holes, names, kinds, byte order marks, a last line without its end. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { statFields } from "../../src/base/process-stat.ts";
import { configure, forwarderSuite, linesOf, until } from "../support/forwarder.ts";

const { place, receive, start } = forwarderSuite("odd-files");

const cpuSeconds = (pid: number | undefined): number => {
  const fields = statFields(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

describe("a hole of two gigabytes", () => {
  it("before the next line of a truncated file is passed over quickly", async () => {
    const folder = place();
    const receiver = await receive();
    const log = join(folder, "a.log");
    writeFileSync(log, "one\n");
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length === 1, "the first line", forwarder.log);
    const before = cpuSeconds(forwarder.process.pid);
    const writer = openSync(log, "r+");
    ftruncateSync(writer, 0);
    writeSync(writer, "after\n", 2 * 1024 ** 3);
    await until(() => receiver.events.length >= 2, "the next line", forwarder.log);
    expect(cpuSeconds(forwarder.process.pid) - before).toBeLessThan(6);
    writeSync(writer, "more\n", 2 * 1024 ** 3 + 6);
    closeSync(writer);
    await until(() => receiver.events.length >= 3, "another line", forwarder.log);
    expect(receiver.events.map(({ line, fields }) => [line, Number(fields["offset"])])).toEqual([
      ["one", 0],
      ["after", 2 * 1024 ** 3],
      ["more", 2 * 1024 ** 3 + 6],
    ]);
  });
});

describe("odd names and kinds", () => {
  it("are followed or said: folders, sockets, FIFOs, names that are not UTF-8, links to nothing", async () => {
    const folder = place();
    const receiver = await receive();
    mkdirSync(join(folder, "dir.log"));
    execFileSync("mkfifo", [join(folder, "fifo.log")]);
    symlinkSync("nowhere", join(folder, "dangling.log"));
    symlinkSync("loop.log", join(folder, "loop.log"));
    const latin = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x6c, 0xe9]), Buffer.from(".log")]);
    const names = ["a b.log", "x[1].log", "ünï.log", ".hidden.log", "{a,b}.log"];
    for (const name of names) writeFileSync(join(folder, name), `${name}\n`);
    writeFileSync(latin, "latin\n");
    const config = configure(folder, [receiver.port]);
    const forwarder = start(config);
    await until(() => receiver.events.length >= 6, "all lines", forwarder.log);
    appendFileSync(latin, "more\n");
    await until(() => receiver.events.length >= 7, "another line", forwarder.log);
    expect(linesOf(receiver).toSorted()).toEqual([...names, "latin", "more"].toSorted());
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    const again = start(config, ["-once"]);
    expect(await again.exit, "the registry knows them again").toBe(0);
    expect(receiver.events).toHaveLength(7);
  });

  it("a byte order mark is no part of the first line, in any encoding, in archives too", async () => {
    const folder = place();
    const receiver = await receive();
    const text = "\ufefffirst\nsecond\n";
    writeFileSync(join(folder, "a.8"), text);
    writeFileSync(join(folder, "a.le"), Buffer.from(text, "utf16le"));
    writeFileSync(join(folder, "a.be"), Buffer.from(text, "utf16le").swap16());
    execFileSync("sh", ["-c", `gzip -c ${join(folder, "a.8")} > ${join(folder, "old.gz")}`]);
    const group = (name: string, encoding: string) => ({ paths: [join(folder, name)], encoding });
    const files = [
      group("a.8", "utf-8"),
      group("a.le", "utf-16le"),
      group("a.be", "utf-16be"),
      group("old.gz", "utf-8"),
    ];
    const forwarder = start(configure(folder, [receiver.port], { more: { files } }), ["-once"]);
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver).toSorted()).toEqual([...Array(4).fill("first"), ...Array(4).fill("second")]);
  });

  it("a last line without its end goes out when the file is quiet", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\nlast words");
    const file = { "close inactive": "5m", "line end wait": "2s" };
    const forwarder = start(configure(folder, [receiver.port], { file }));
    await until(() => receiver.events.length >= 2, "the last words", forwarder.log);
    expect(linesOf(receiver)).toEqual(["one", "last words"]);
  });

  it("a registry that cannot be made is said in words, at once", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "file"), "");
    for (const path of ["/proc/nothing/registry.json", join(folder, "file/below/registry.json")]) {
      const more = { registry: { path } };
      const forwarder = start(configure(folder, [receiver.port], { more }));
      expect(await forwarder.exit).toBe(2);
      expect(forwarder.log()).toContain("cannot write beside the registry");
    }
  });
});
