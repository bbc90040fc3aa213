import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";

const { place, receive, start } = forwarderSuite("reading");

describe("what is read", () => {
  it("decodes, joins, filters and parses", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "utf16.txt"), Buffer.from("grün\r\nblau\nhalb", "utf16le"));
    writeFileSync(join(folder, "stack.txt"), "1 error\n  at a\n  at b\n2 DEBUG\n3 fine\n");
    writeFileSync(join(folder, "json.txt"), '{"level":"info","n":1,"message":"hello"}\nnot json\n');
    writeFileSync(join(folder, "old.txt.gz"), gzipSync("archived\nlast without end"));
    const group = (name: string, more: object) => ({ paths: [join(folder, name)], fields: { kind: name }, ...more });
    const config = configure(folder, [receiver.port], {
      more: {
        files: [
          group("utf16.txt", { encoding: "utf-16le" }),
          group("stack.txt", {
            multiline: { pattern: "^\\d", negate: true, match: "after" },
            "exclude lines": ["DEBUG"],
          }),
          group("json.txt", { json: true }),
          group("*.gz", {}),
        ],
      },
    });
    const forwarder = start(config, ["-once"]);
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    const of = (kind: string) => receiver.events.filter(({ fields }) => fields["kind"] === kind);
    expect(of("utf16.txt").map(({ line }) => line)).toEqual(["grün", "blau", "halb"]);
    expect(of("stack.txt").map(({ line }) => line)).toEqual(["1 error\n  at a\n  at b", "3 fine"]);
    expect(of("json.txt").map(({ fields }) => fields)).toMatchObject([
      { level: "info", n: 1, message: "hello" },
      { json_error: "not a JSON object", message: "not json" },
    ]);
    expect(of("*.gz").map(({ line }) => line)).toEqual(["archived", "last without end"]);
    const again = start(config, ["-once"]);
    expect(await again.exit).toBe(0);
    expect(receiver.events).toHaveLength(9);
  });

  it("cuts lines over the bound, keeps NULs, skips a hole, refuses a FIFO, waits for a line's end", async () => {
    const folder = place();
    const receiver = await receive();
    const long = "x".repeat(400_000);
    writeFileSync(join(folder, "a.log"), `a\0b\n${long}\nhalf`);
    execFileSync("mkfifo", [join(folder, "pipe.log")]);
    const forwarder = start(configure(folder, [receiver.port], { file: { "maximum line": 262_144 } }));
    await until(() => receiver.events.length >= 3, "three events", forwarder.log);
    expect(linesOf(receiver)).toEqual(["a\0b", "x".repeat(262_144), "x".repeat(400_000 - 262_144)]);
    await until(() => forwarder.log().includes("it is a fifo, not a file"), "the refusal", forwarder.log);
    appendFileSync(join(folder, "a.log"), " whole\n");
    await until(() => receiver.events.length >= 4, "the whole line", forwarder.log);
    expect(linesOf(receiver)[3]).toBe("half whole");
    const size = statSync(join(folder, "a.log")).size;
    // A writer that does not append goes on at its own position after a truncation.
    writeFileSync(join(folder, "a.log"), Buffer.concat([Buffer.alloc(size), Buffer.from("after the hole\n")]));
    await until(() => receiver.events.length >= 5, "the line after the hole", forwarder.log);
    expect(linesOf(receiver)[4]).toBe("after the hole");
  });

  it("ships standard input, its last line too, and ends with it", async () => {
    const folder = place();
    const receiver = await receive();
    const forwarder = start(configure(folder, [receiver.port], { file: { paths: ["-"] } }));
    forwarder.process.stdin?.write(textOf(numbered(5000)));
    forwarder.process.stdin?.end("the end");
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver)).toEqual([...numbered(5000), "the end"]);
  });

  it("prints events with -tap, and records nothing", async () => {
    const folder = place();
    writeFileSync(join(folder, "a.log"), "one\ntwo\n");
    const forwarder = start(configure(folder, []), ["-tap", "-once"]);
    expect(await forwarder.exit).toBe(0);
    const events = forwarder
      .output()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toMatchObject([
      { message: "one", offset: 0, file: join(folder, "a.log") },
      { message: "two", offset: 4 },
    ]);
    expect(existsSync(join(folder, "registry.json"))).toBe(false);
  });

  it("ends with -tap when nobody reads it any more", async () => {
    const folder = place();
    const log = join(folder, "a.log");
    writeFileSync(log, "one\n");
    const forwarder = start(configure(folder, [1]), ["-tap"]);
    await until(() => forwarder.output().includes("one"), "the line", forwarder.log);
    forwarder.process.stdout?.destroy();
    const feed = setInterval(() => appendFileSync(log, "more\n"), 50);
    expect(await forwarder.exit).toBe(0);
    clearInterval(feed);
  });

  it("leaves old files alone until they grow", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "before\n");
    execFileSync("touch", ["-d", "2 days ago", join(folder, "a.log")]);
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => existsSync(join(folder, "registry.json")), "the registry", forwarder.log);
    appendFileSync(join(folder, "a.log"), "after\n");
    await until(() => receiver.events.length >= 1, "the new line", forwarder.log);
    expect(linesOf(receiver)).toEqual(["after"]);
  });

  it("begins at the end with -tail, but with later files at their beginning", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "before\n");
    const forwarder = start(configure(folder, [receiver.port]), ["-tail"]);
    await until(() => existsSync(join(folder, "registry.json")), "the registry", forwarder.log);
    writeFileSync(join(folder, "b.log"), "later\n");
    await until(() => receiver.events.length >= 1, "the later file", forwarder.log);
    appendFileSync(join(folder, "a.log"), "after\n");
    await until(() => receiver.events.length >= 2, "the new line", forwarder.log);
    expect(linesOf(receiver)).toEqual(["later", "after"]);
  });

  it("follows more files than it may hold open", async () => {
    const folder = place();
    const receiver = await receive();
    for (let file = 0; file < 40; file++) writeFileSync(join(folder, `${file}.log`), `first ${file}\n`);
    const more = { reading: { "scan interval": "100ms", "maximum open files": 5 } };
    const forwarder = start(configure(folder, [receiver.port], { more }));
    await until(() => receiver.events.length >= 40, "the first lines", forwarder.log);
    expect(
      execFileSync("ls", [`/proc/${forwarder.process.pid}/fd`, "-l"], { encoding: "utf8" }).match(/\.log$/gm)?.length,
    ).toBeLessThanOrEqual(5);
    for (let file = 0; file < 40; file++) appendFileSync(join(folder, `${file}.log`), `second ${file}\n`);
    await until(() => receiver.events.length >= 80, "the second lines", forwarder.log);
    expect(new Set(linesOf(receiver)).size).toBe(80);
  });
});
