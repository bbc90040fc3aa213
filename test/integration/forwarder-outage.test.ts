/** What becomes of files while their lines cannot be shipped: the receiver is away, slow, or there is no descriptor. */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  configure,
  forwarderSuite,
  linesOf,
  numbered,
  type Started,
  startForwarder,
  textOf,
  until,
} from "../support/forwarder.ts";

const suite = forwarderSuite("outage");
const { place, receive, start } = suite;

/** A port where nobody listens, for a receiver that comes later. */
async function portOfNobody(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Descriptors of the forwarder that lead into `folder`. */
function openIn(forwarder: Started, folder: string): string[] {
  const fds = `/proc/${forwarder.process.pid}/fd`;
  return readdirSync(fds).flatMap((fd) => {
    try {
      const target = readlinkSync(join(fds, fd));
      return target.startsWith(`${folder}/`) ? [target] : [];
    } catch {
      return [];
    }
  });
}

const isOpen = (forwarder: Started, path: string) =>
  until(() => openIn(forwarder, dirname(path)).includes(path), `'${path}' is open`, forwarder.log);

/** A file of one line, its name, that is deleted the moment the forwarder has it open; milliseconds until then. */
async function liveShortly(forwarder: Started, folder: string, name: string): Promise<number> {
  const path = join(folder, `${name}.log`);
  const begun = performance.now();
  writeFileSync(path, `${name}\n`);
  await isOpen(forwarder, path);
  const milliseconds = performance.now() - begun;
  unlinkSync(path);
  return milliseconds;
}

/** The forwarder has the beginning of what `log` holds on record: it knows that content again, wherever it goes. */
async function knows(forwarder: Started, log: string): Promise<void> {
  const hash = createHash("sha256").update(readFileSync(log).subarray(0, 1024)).digest("base64");
  const registry = join(dirname(log), "registry.json");
  const known = () => existsSync(registry) && readFileSync(registry, "utf8").includes(hash);
  await until(known, `the beginning of '${log}' is on record`, forwarder.log);
}

describe("a receiver that is away", () => {
  it("costs no line of files that are rotated and deleted meanwhile, and their descriptors are given back", async () => {
    const folder = place();
    const port = await portOfNobody();
    const log = join(folder, "a.log");
    writeFileSync(log, "l0\n");
    const forwarder = start(configure(folder, [port]));
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    for (let round = 1; round <= 5; round++) {
      renameSync(log, `${log}.1`);
      writeFileSync(log, `l${round}\n`);
      await until(() => forwarder.log().match(/following/g)?.length === round + 1, "it is found", forwarder.log);
      unlinkSync(`${log}.1`);
    }
    expect(openIn(forwarder, folder)).toHaveLength(6);
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 6, "all lines", forwarder.log);
    await until(() => !openIn(forwarder, folder).some((path) => path.endsWith("(deleted)")), "they are given back");
    expect(linesOf(receiver).toSorted()).toEqual(["l0", "l1", "l2", "l3", "l4", "l5"]);
  });

  it("costs no line of files that live for a tenth of a second", async () => {
    const folder = place();
    const port = await portOfNobody();
    writeFileSync(join(folder, "big.log"), textOf(numbered(30_000)));
    // No look that comes by itself finds them.
    const forwarder = start(configure(folder, [port], { more: { reading: { "scan interval": "1h" } } }));
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    const opened: number[] = [];
    for (let file = 0; file < 20; file++) opened.push(await liveShortly(forwarder, folder, `short${file}`));
    // Each takes as long as the machine is busy; what the program itself waits for, all take.
    expect(Math.min(...opened)).toBeLessThan(100);
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 30_020, "all lines", forwarder.log);
    expect(new Set(linesOf(receiver)).size).toBe(30_020);
  });

  it("costs no line of such files in a folder that was made later, or made anew", async () => {
    const folder = place();
    const logs = join(folder, "app/logs");
    const port = await portOfNobody();
    const more = { files: [{ paths: [join(logs, "*.log")] }], reading: { "scan interval": "1h" } };
    const forwarder = start(configure(folder, [port], { more }));
    await until(() => forwarder.log().includes("no file matches"), "it runs", forwarder.log);
    const changes = [
      () => undefined,
      () => rmSync(logs, { recursive: true }),
      () => renameSync(join(folder, "app"), join(folder, "old")),
    ];
    for (const [round, away] of changes.entries()) {
      away();
      mkdirSync(logs, { recursive: true });
      writeFileSync(join(logs, `${round}.log`), `long ${round}\n`);
      await until(() => forwarder.log().includes(`following '${logs}/${round}.log'`), "it is found", forwarder.log);
      await liveShortly(forwarder, logs, `short${round}`);
    }
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 6, "all lines", forwarder.log);
    expect(linesOf(receiver).toSorted()).toEqual(["long 0", "long 1", "long 2", "short0", "short1", "short2"]);
  });

  it("costs no line of a file that is copied and truncated again and again, copies in no pattern", async () => {
    const folder = place();
    const port = await portOfNobody();
    const log = join(folder, "a.log");
    const wanted = numbered(5000);
    writeFileSync(log, textOf(wanted));
    const forwarder = start(configure(folder, [port]));
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    mkdirSync(join(folder, "old"));
    for (let round = 0; round < 4; round++) {
      const lines = numbered(3000, (round + 2) * 10_000);
      wanted.push(...lines);
      appendFileSync(log, textOf(lines));
      await knows(forwarder, log);
      copyFileSync(log, join(folder, round === 3 ? "old/a.log.3" : `a.log.${round}`));
      truncateSync(log);
    }
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= wanted.length, "all lines", forwarder.log);
    expect(new Set(linesOf(receiver))).toEqual(new Set(wanted));
    expect(receiver.events).toHaveLength(wanted.length);
  });

  it("costs no line of logs that links lead to, one after the other", async () => {
    const folder = place();
    const port = await portOfNobody();
    const point = (target: string) => {
      symlinkSync(target, join(folder, ".next"));
      renameSync(join(folder, ".next"), join(folder, "agent.INFO"));
    };
    const config = configure(folder, [port], { file: { paths: [join(folder, "agent.INFO")] } });
    writeFileSync(join(folder, "agent.0"), "log 0\n");
    point("agent.0");
    const forwarder = start(config);
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    for (let log = 1; log < 9; log++) {
      writeFileSync(join(folder, `agent.${log}`), `log ${log}\n`);
      point(`agent.${log}`);
      await isOpen(forwarder, join(folder, `agent.${log}`));
      unlinkSync(join(folder, `agent.${log - 1}`));
    }
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 9, "all lines", forwarder.log);
    expect(linesOf(receiver).toSorted()).toEqual(Array.from({ length: 9 }, (_, log) => `log ${log}`));
  });

  it("costs no line of a deleted file when the configuration is read again meanwhile", async () => {
    const folder = place();
    const port = await portOfNobody();
    writeFileSync(join(folder, "a.log"), "deleted\n");
    const config = configure(folder, [port], { network: { timeout: 1, "maximum wait": "1s" } });
    const forwarder = start(config);
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    unlinkSync(join(folder, "a.log"));
    for (let round = 1; round <= 2; round++) {
      forwarder.process.kill("SIGHUP");
      await until(() => forwarder.log().match(/is read again/g)?.length === round, "the reload", forwarder.log);
    }
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 1, "the line", forwarder.log);
    await until(() => openIn(forwarder, folder).length === 0, "it is given back", forwarder.log);
    expect(linesOf(receiver)).toEqual(["deleted"]);
  });
});

describe("a receiver that is slow", () => {
  it("does not keep new files from being found, nor short-lived ones from being read", async () => {
    const folder = place();
    const receiver = await receive({ delay: 700 });
    writeFileSync(join(folder, "busy.log"), textOf(numbered(60_000).map((line) => line.padEnd(80, "x"))));
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length > 2000, "it ships", forwarder.log);
    writeFileSync(join(folder, "small.log"), "small\n");
    const log = join(folder, "s.log");
    writeFileSync(log, "s0\n");
    for (let round = 1; round <= 4; round++) {
      await isOpen(forwarder, log);
      renameSync(log, `${log}.1`);
      writeFileSync(log, `s${round}\n`);
      await isOpen(forwarder, `${log}.1`);
      await isOpen(forwarder, log);
      unlinkSync(`${log}.1`);
    }
    const short = () => linesOf(receiver).filter((line) => /^s\w+$/.test(line));
    await until(() => short().length >= 6, "the small files", forwarder.log);
    expect(short().toSorted()).toEqual(["s0", "s1", "s2", "s3", "s4", "small"]);
  });
});

describe("many files", () => {
  it("are rotated all at once: a new line arrives soon, and TERM is heard", async () => {
    const folder = place();
    const receiver = await receive();
    const files = 2000;
    const name = (file: number) => join(folder, `f${file}.log`);
    for (let file = 0; file < files; file++) writeFileSync(name(file), `a${file}\n`);
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length >= files, "the first lines", forwarder.log, 60_000);
    for (let file = 0; file < files; file++) {
      renameSync(name(file), `${name(file)}.1`);
      writeFileSync(name(file), `b${file}\n`);
    }
    const begun = performance.now();
    appendFileSync(name(7), "mark\n");
    await until(() => linesOf(receiver).includes("mark"), "the new line", forwarder.log);
    expect(performance.now() - begun).toBeLessThan(8000);
    await until(() => receiver.events.length >= 2 * files + 1, "all lines", forwarder.log);
    const stopped = performance.now();
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(performance.now() - stopped).toBeLessThan(5000);
    const doubled = linesOf(receiver).filter((line, index, all) => all.indexOf(line) !== index);
    expect(doubled, forwarder.log().replaceAll(/^.*following.*\n/gm, "")).toEqual([]);
    expect(receiver.events).toHaveLength(2 * files + 1);
  });

  it("and few descriptors: all are read, the registry is written", async () => {
    const folder = place();
    const receiver = await receive();
    const files = 200;
    for (let file = 0; file < files; file++) writeFileSync(join(folder, `${file}.log`), `m${file}\n`);
    const config = configure(folder, [receiver.port]);
    const forwarder = startForwarder(suite.program(), ["-config", config], { nofile: 100 });
    try {
      await until(() => receiver.events.length >= files, "the first lines", forwarder.log);
      for (let file = 0; file < files; file++) appendFileSync(join(folder, `${file}.log`), `n${file}\n`);
      await until(() => receiver.events.length >= 2 * files, "the second lines", forwarder.log);
      expect(forwarder.log()).not.toContain("shipping pauses");
      forwarder.process.kill("SIGTERM");
      expect(await forwarder.exit).toBe(0);
      expect(JSON.parse(readFileSync(join(folder, "registry.json"), "utf8")).files).toHaveLength(files);
      expect(new Set(linesOf(receiver)).size).toBe(2 * files);
    } finally {
      forwarder.process.kill("SIGKILL");
    }
  });

  it("and few descriptors while the receiver is away: who waits is said, and opened as soon as it can be", async () => {
    const folder = place();
    const port = await portOfNobody();
    // More than the window takes: a file that is read to its end would give its descriptor up.
    for (let file = 0; file < 20; file++)
      writeFileSync(join(folder, `${file}.log`), textOf(numbered(3000, file * 3000)));
    const more = { reading: { "scan interval": "200ms", "maximum open files": 5 } };
    const forwarder = start(configure(folder, [port], { more }));
    await until(() => forwarder.log().includes("wait for a descriptor"), "the complaint", forwarder.log);
    expect(openIn(forwarder, folder).filter((path) => path.endsWith(".log")).length).toBeLessThanOrEqual(5);
    const receiver = await receive({ port });
    await until(() => receiver.events.length >= 60_000, "all lines", forwarder.log);
    expect(new Set(linesOf(receiver)).size).toBe(60_000);
  });
});

describe("a stop", () => {
  it("ships what lies in the files at that moment, of files that were just made and just deleted too", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "first\n");
    const forwarder = start(configure(folder, [receiver.port], { shipping: { "flush time": "1h" } }));
    await until(() => forwarder.log().includes("following"), "it runs", forwarder.log);
    appendFileSync(join(folder, "a.log"), "the last words\n");
    writeFileSync(join(folder, "b.log"), "of another\n");
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver).toSorted()).toEqual(["first", "of another", "the last words"]);
  });
});
