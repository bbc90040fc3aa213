import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";

const { place, receive, start } = forwarderSuite("positions");

describe("positions", () => {
  it("of the old program are taken over", async () => {
    const folder = place();
    const receiver = await receive();
    const path = join(folder, "a.log");
    writeFileSync(path, "one\r\ntwo\r\nthree\r\n");
    const { ino: inode, dev: device } = statSync(path);
    // It counted CRLF as one byte in the last line: its offset lies in the line end of the second one.
    writeFileSync(
      join(folder, ".logstash-forwarder"),
      JSON.stringify({ [path]: { source: path, offset: 9, inode, device } }),
    );
    const forwarder = start(configure(folder, [receiver.port]), ["-once"], { cwd: folder });
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver)).toEqual(["three"]);
  });

  it("that are broken are kept aside, and everything is sent again", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    writeFileSync(join(folder, "registry.json"), "\0\0\0");
    const forwarder = start(configure(folder, [receiver.port]), ["-once"]);
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(["one"]);
    expect(forwarder.log()).toContain("files are sent again");
    expect(execFileSync("ls", [folder], { encoding: "utf8" })).toContain("registry.json.broken-");
  });

  it("belong to one process", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    const config = configure(folder, [receiver.port]);
    const first = start(config);
    await until(() => receiver.events.length === 1, "the line", first.log);
    const second = start(config);
    expect(await second.exit).toBe(2);
    expect(second.log()).toContain(`process ${first.process.pid} already uses this registry`);
  });

  it("are known again by a beginning that was sent once, of a file that was found empty and compressed meanwhile", async () => {
    const folder = place();
    const receiver = await receive();
    const [path, registry] = [join(folder, "a.log"), join(folder, "registry.json")];
    writeFileSync(path, "");
    const config = configure(folder, [receiver.port]);
    const first = start(config);
    await until(() => existsSync(registry) && readFileSync(registry, "utf8").includes("a.log"), "its name", first.log);
    appendFileSync(path, "one\n");
    await until(() => receiver.events.length === 1, "its first line", first.log);
    first.process.kill("SIGKILL");
    await first.exit;
    appendFileSync(path, "two\nthree\n");
    writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
    unlinkSync(path);
    writeFileSync(path, "four\n");
    const second = start(config);
    await until(() => linesOf(receiver).includes("three"), "the rest, from its archive", second.log);
  });

  it("survive reloads: nothing lost, nothing doubled, a broken configuration not taken over", async () => {
    const folder = place();
    const receiver = await receive({ delay: 5 });
    const path = join(folder, "a.log");
    writeFileSync(path, "");
    const config = configure(folder, [receiver.port]);
    const forwarder = start(config);
    await until(() => existsSync(join(folder, "registry.json")), "it runs", forwarder.log);
    const reads = () => forwarder.log().split("is read again").length;
    for (let round = 0; round < 20; round++) {
      appendFileSync(path, textOf(numbered(100, round * 100)));
      await new Promise((resolve) => setTimeout(resolve, 25));
      if (round === 10) {
        writeFileSync(config, "{");
        forwarder.process.kill("SIGHUP");
        await until(() => forwarder.log().includes("is not taken over"), "the complaint", forwarder.log);
      }
      if (round === 10) configure(folder, [receiver.port], { file: { fields: { reloaded: "yes" } } });
      const before = reads();
      forwarder.process.kill("SIGHUP");
      // What is written from here on belongs to the new one.
      if (round === 10) await until(() => reads() > before, "it is read again", forwarder.log);
    }
    await until(() => receiver.events.length >= 2000, "all lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(2000));
    expect(receiver.events.at(-1)?.fields["reloaded"]).toBe("yes");
  });

  it("survive a reload while a slow receiver works: it is waited for, but a stop is not kept waiting", async () => {
    const folder = place();
    const receiver = await receive({ delay: 5000, keepalive: 200 });
    writeFileSync(join(folder, "a.log"), textOf(numbered(10)));
    const config = configure(folder, [receiver.port], { shipping: { "drain time": "200ms" } });
    const forwarder = start(config);
    await until(() => receiver.events.length === 10, "the receiver works", forwarder.log);
    forwarder.process.kill("SIGHUP");
    await until(() => forwarder.log().includes("is read again"), "the reload", forwarder.log);
    appendFileSync(join(folder, "a.log"), textOf(numbered(10, 10)));
    await until(() => receiver.events.length === 20, "the rest", forwarder.log);
    expect(linesOf(receiver)).toEqual(numbered(20));
    forwarder.process.kill("SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 100));
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    // It did not wait for the acknowledgement, which is seconds away.
    expect(forwarder.log()).toContain("sent again at the next start");
  });
});
