import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";

const { place, receive, start } = forwarderSuite("reload");

/** A port that somebody else has. */
async function takenPort(): Promise<{ port: number; free(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, free: () => server.close() };
}

describe("a reload", () => {
  it.each([
    ["a registry that cannot be made", { registry: { path: "/etc/passwd/r.json" } }, "/etc/passwd"],
    ["a registry that is a folder", { registry: { path: "/tmp" } }, "/tmp"],
    [
      "a certificate that is not there",
      { network: { "ssl ca": "/nowhere/ca.pem", servers: ["localhost:1"] } },
      "ca.pem",
    ],
    ["a key that does not exist", { nonsense: "{" }, "forwarder.json"],
  ])("to %s leaves what runs as it is", async (_, more, reason) => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    const config = configure(folder, [receiver.port]);
    const forwarder = start(config);
    await until(() => receiver.events.length === 1, "the first line", forwarder.log);
    configure(folder, [receiver.port], { more });
    if ("nonsense" in more) writeFileSync(config, "{");
    forwarder.process.kill("SIGHUP");
    await until(() => forwarder.log().includes("not taken over"), "the refusal", forwarder.log);
    expect(forwarder.log()).toContain(reason);
    appendFileSync(join(folder, "a.log"), "two\n");
    await until(() => receiver.events.length === 2, "the second line", forwarder.log);
    expect(receiver.connections, "nothing was stopped").toBe(1);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
  });

  it("to a port that is taken leaves what runs as it is, its own port too", async () => {
    const folder = place();
    const receiver = await receive();
    const taken = await takenPort();
    const own = await freePort();
    writeFileSync(join(folder, "a.log"), "one\n");
    configure(folder, [receiver.port], { more: { monitoring: { address: `127.0.0.1:${own}` } } });
    const forwarder = start(join(folder, "forwarder.json"));
    await until(() => receiver.events.length === 1, "the first line", forwarder.log);
    configure(folder, [receiver.port], { more: { monitoring: { address: `127.0.0.1:${taken.port}` } } });
    forwarder.process.kill("SIGHUP");
    await until(() => forwarder.log().includes("not taken over"), "the refusal", forwarder.log);
    expect((await fetch(`http://127.0.0.1:${own}/status`)).status).toBe(200);
    taken.free();
    forwarder.process.kill("SIGHUP");
    await until(() => forwarder.log().includes("is read again"), "the change", forwarder.log);
    expect((await fetch(`http://127.0.0.1:${taken.port}/status`)).status).toBe(200);
    // The same port at all interfaces, then again at one: only one of them can be had at a time.
    for (const host of ["0.0.0.0", "127.0.0.1"]) {
      const times = forwarder.log().split("is read again").length;
      configure(folder, [receiver.port], { more: { monitoring: { address: `${host}:${taken.port}` } } });
      forwarder.process.kill("SIGHUP");
      await until(() => forwarder.log().split("is read again").length > times, host, forwarder.log);
      const status = (await (await fetch(`http://127.0.0.1:${taken.port}/status`)).json()) as { files: unknown[] };
      expect(status.files).toHaveLength(1);
    }
  });

  it("keeps standard input: what is piped afterwards arrives, once", async () => {
    const folder = place();
    const receiver = await receive();
    configure(folder, [receiver.port], { file: { paths: ["-"] } });
    const forwarder = start(join(folder, "forwarder.json"));
    const stdin = forwarder.process.stdin;
    for (let round = 0; round < 4; round++) {
      // The line that is cut by the reload is whole afterwards.
      stdin?.write(`${textOf(numbered(250, round * 251))}line ${round * 251 + 250}`);
      await until(() => receiver.events.length >= round * 251 + 250, `round ${round}`, forwarder.log);
      forwarder.process.kill("SIGHUP");
      await until(() => forwarder.log().split("is read again").length === round + 2, "the change", forwarder.log);
      stdin?.write("\n");
    }
    stdin?.end();
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(4 * 251));
    const offsets = receiver.events.map(({ fields }) => Number(fields["offset"]));
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });

  it("sends what a dead server did not take of standard input to the new one", async () => {
    const folder = place();
    const port = await freePort();
    const receiver = await receive();
    configure(folder, [port], { file: { paths: ["-"] } });
    const forwarder = start(join(folder, "forwarder.json"));
    forwarder.process.stdin?.write(textOf(numbered(100)));
    await until(() => forwarder.log().includes("nothing listens there"), "a failure", forwarder.log);
    configure(folder, [receiver.port], { file: { paths: ["-"] } });
    forwarder.process.kill("SIGHUP");
    forwarder.process.stdin?.end(textOf(numbered(100, 100)));
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(200));
  });

  it("drops a path with unread lines: no lag, no descriptor; and takes it up again where it was", async () => {
    const folder = place();
    const [port, own] = [await freePort(), await freePort()];
    const [kept, dropped] = [join(folder, "kept.log"), join(folder, "dropped.log")];
    for (const path of [kept, dropped]) writeFileSync(path, `${basename(path)}\n`);
    const config = (paths: string[]) =>
      configure(folder, [port], { file: { paths }, more: { monitoring: { address: `127.0.0.1:${own}` } } });
    const forwarder = start(config([kept, dropped]));
    const status = async () =>
      (await (await fetch(`http://127.0.0.1:${own}/status`)).json()) as {
        files: { source: string }[];
        lag: { bytes: number };
        openFiles: number;
      };
    const reload = async (paths: string[]) => {
      const times = forwarder.log().split("is read again").length;
      config(paths);
      forwarder.process.kill("SIGHUP");
      await until(() => forwarder.log().split("is read again").length > times, "the change", forwarder.log);
    };
    await until(() => forwarder.log().match(/following/g)?.length === 2, "both", forwarder.log);
    await reload([kept]);
    const { files, lag, openFiles } = await status();
    expect([files.map(({ source }) => source), lag.bytes, openFiles]).toEqual([[kept], 9, 1]);
    appendFileSync(dropped, "more\n");
    await reload([kept, dropped]);
    expect((await status()).lag.bytes).toBe(9 + 12 + 5);
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 3, "all", forwarder.log);
    expect(linesOf(receiver).toSorted()).toEqual(["dropped.log", "kept.log", "more"]);
  });

  it("that is asked for while it starts comes when it has started", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    const config = configure(folder, [receiver.port]);
    const text = readFileSync(config, "utf8");
    rmSync(config);
    execFileSync("mkfifo", [config]);
    const forwarder = start(config);
    // Whoever opens it for writing waits for the reader: the forwarder is about to read its configuration.
    const told = await open(config, "w");
    forwarder.process.kill("SIGHUP");
    await told.writeFile(text);
    await told.close();
    await until(() => forwarder.log().includes("following"), "the start", forwarder.log);
    // For the reload, which waits for it.
    await writeFile(config, text);
    await until(() => receiver.events.length === 1, "the line", forwarder.log);
    await until(() => forwarder.log().includes("is read again"), "the reload", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
  });
});
