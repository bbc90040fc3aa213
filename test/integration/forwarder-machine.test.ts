/** The forwarder and the machine around it: a full disk, syslog, the profiler. */
import { execFile, execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, type TestContext } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, type Started, textOf, until } from "../support/forwarder.ts";
import { missing } from "../support/missing.ts";

const suite = forwarderSuite("machine");
const { place, receive, start } = suite;

/** Events that may be sent and not yet acknowledged and recorded. */
const WINDOW = 256;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
});

function needsRoot(context: TestContext): void {
  if (process.getuid?.() === 0 && existsSync("/usr/bin/unshare")) return;
  missing(context, "it needs root and unshare(1)");
}

/** A disk of its own of 64 kB at `folder`, and how to fill it to the last byte and make room again. */
function smallDisk(folder: string): { fill(): void; clear(): void } {
  mkdirSync(folder);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  undo.push(() => execFileSync("umount", ["-l", folder]));
  const ballast = join(folder, "ballast");
  return {
    fill() {
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(4096));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    },
    clear: () => rmSync(ballast),
  };
}

describe("a full disk under the registry", () => {
  const prepare = async () => {
    const folder = place();
    const state = join(folder, "state");
    const disk = smallDisk(state);
    const receiver = await receive();
    const config = configure(folder, [receiver.port], {
      shipping: { "window size": WINDOW },
      more: { registry: { path: join(state, "registry.json") } },
    });
    /** Nothing is to be written any more: a write under way would leave room for the next when it ends. */
    const recorded = (forwarder: Started) =>
      until(
        () =>
          readFileSync(join(state, "registry.json"), "utf8").includes(
            `"offset":${statSync(join(folder, "a.log")).size},`,
          ) && !readdirSync(state).some((name) => name.endsWith(".tmp")),
        "everything is recorded",
        forwarder.log,
      );
    /** Ships `lines` lines and fills the disk once they are on record. */
    const shipThenFill = async (lines: number): Promise<Started> => {
      writeFileSync(join(folder, "a.log"), textOf(numbered(lines)));
      const forwarder = start(config);
      await until(() => receiver.events.length === lines, "what there is", forwarder.log);
      await recorded(forwarder);
      disk.fill();
      return forwarder;
    };
    return { folder, disk, receiver, config, shipThenFill };
  };

  it("pauses shipping within a window, and loses and doubles nothing once there is room", async (context) => {
    needsRoot(context);
    const { folder, disk, receiver, shipThenFill } = await prepare();
    const forwarder = await shipThenFill(100);
    appendFileSync(join(folder, "a.log"), textOf(numbered(2000, 100)));
    writeFileSync(join(folder, "b.log"), textOf(numbered(500, 2100)));
    await until(() => forwarder.log().includes("shipping pauses"), "the complaint", forwarder.log);
    // What was on its way lands, on a busy machine later than the complaint; two attempts after that nothing more has come: it is
    // tried again every second.
    let paused: number;
    do {
      paused = receiver.events.length;
      await new Promise((resolve) => setTimeout(resolve, 2200));
    } while (receiver.events.length !== paused && paused <= 100 + WINDOW);
    expect(paused).toBeLessThanOrEqual(100 + WINDOW);
    expect(forwarder.log().match(/shipping pauses/g), "it is said once").toHaveLength(1);
    disk.clear();
    await until(() => receiver.events.length >= 2600, "everything", forwarder.log);
    expect(forwarder.log()).toContain("is written again");
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver).toSorted()).toEqual(numbered(2600).toSorted());
  });

  it("and killed meanwhile: a window is doubled at most, nothing is lost", async (context) => {
    needsRoot(context);
    const { folder, disk, receiver, config, shipThenFill } = await prepare();
    const forwarder = await shipThenFill(100);
    appendFileSync(join(folder, "a.log"), textOf(numbered(2000, 100)));
    await until(() => forwarder.log().includes("shipping pauses"), "the complaint", forwarder.log);
    forwarder.process.kill("SIGKILL");
    await forwarder.exit;
    // On a full disk it cannot take its lock, and says so.
    const refused = start(config, ["-once"]);
    expect(await refused.exit).toBe(2);
    expect(refused.log()).toContain("cannot write beside the registry");
    expect(refused.log()).toContain(`Fix: make room on the disk of '${join(folder, "state")}'`);
    // As a service it waits, and leaves when it is told to.
    const leaving = start(config);
    await until(() => leaving.log().includes("nothing is shipped until there is room"), "the complaint", leaving.log);
    leaving.process.kill("SIGTERM");
    expect(await leaving.exit).toBe(0);
    const waiting = start(config);
    await until(() => waiting.log().includes("nothing is shipped until there is room"), "the complaint", waiting.log);
    disk.clear();
    await until(() => new Set(linesOf(receiver)).size === 2100, "everything", waiting.log);
    waiting.process.kill("SIGTERM");
    expect(await waiting.exit, waiting.log()).toBe(0);
    expect(new Set(linesOf(receiver))).toEqual(new Set(numbered(2100)));
    expect(receiver.events.length - 2100).toBeLessThanOrEqual(WINDOW);
  });

  it("ships nothing of a file that it could not put on record", async (context) => {
    needsRoot(context);
    const { folder, disk, receiver, shipThenFill } = await prepare();
    const forwarder = await shipThenFill(1);
    writeFileSync(join(folder, "late.log"), textOf(numbered(10, 1)));
    await until(() => forwarder.log().includes("shipping pauses"), "the complaint", forwarder.log);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(linesOf(receiver)).toEqual(numbered(1));
    disk.clear();
    await until(() => receiver.events.length >= 11, "the lines", forwarder.log);
    expect(linesOf(receiver)).toEqual(numbered(11));
  });
});

describe("-log-to-syslog", () => {
  /** Prints each datagram that arrives at the socket, until it is ended. */
  const LISTEN =
    'use IO::Socket::UNIX; $|=1; my $s=IO::Socket::UNIX->new(Type=>SOCK_DGRAM,Local=>$ARGV[0]) or die "$!"; print "listening\\n"; while(defined $s->recv(my $m,65536)){print "$m\\n"}';

  it("sends every line to /dev/log, with its name and severity, and nothing to standard error", async (context) => {
    needsRoot(context);
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    const socket = join(folder, "socket");
    const listener = spawn("perl", ["-e", LISTEN, socket], { stdio: ["ignore", "pipe", "inherit"] });
    undo.push(() => listener.kill());
    let heard = "";
    listener.stdout.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
    });
    await until(() => heard.includes("listening"), "syslog");
    // A /dev of its own, in a mount namespace, whose log is that socket.
    const devices = join(folder, "dev");
    const script =
      `mkdir ${devices} && mount -t tmpfs tmpfs ${devices} && cp -a /dev/null /dev/urandom /dev/random /dev/zero ${devices} && ` +
      `ln -s /proc/self/fd ${devices}/fd && touch ${devices}/log && mount --bind ${socket} ${devices}/log && mount --rbind ${devices} /dev && ` +
      `exec ${process.execPath} ${suite.program()} -config ${configure(folder, [receiver.port])} -log-to-syslog -once 2>&1`;
    const { stdout: output } = await promisify(execFile)("unshare", ["-m", "sh", "-c", script], { timeout: 30_000 });
    expect(output).toBe("");
    await until(
      () => heard.includes("following"),
      "the log line",
      () => heard,
    );
    // Facility daemon (3), severity info (6).
    expect(heard).toMatch(new RegExp(`^<30>.*logstash-forwarder.*following '${folder}/a.log'`, "m"));
  });
});

describe("-cpuprofile", () => {
  it("writes a profile when it ends, by itself and by a signal", async () => {
    const folder = place();
    const receiver = await receive();
    const config = configure(folder, [receiver.port]);
    for (const args of [["-once"], []]) {
      const path = join(folder, `${args.length}.cpuprofile`);
      const before = receiver.events.length;
      appendFileSync(join(folder, "a.log"), textOf(numbered(1000)));
      const forwarder = start(config, ["-cpuprofile", path, ...args]);
      await until(() => receiver.events.length === before + 1000, "it runs", forwarder.log);
      if (args.length === 0) forwarder.process.kill("SIGTERM");
      expect(await forwarder.exit, forwarder.log()).toBe(0);
      const profile = JSON.parse(readFileSync(path, "utf8"));
      expect(profile.endTime).toBeGreaterThan(profile.startTime);
      expect(profile.samples).toHaveLength(profile.timeDeltas.length);
      const ids = new Set(profile.nodes.map(({ id }: { id: number }) => id));
      expect(profile.samples.every((sample: number) => ids.has(sample))).toBe(true);
      expect(profile.nodes[0].callFrame.functionName).toBe("(root)");
    }
  });
});
