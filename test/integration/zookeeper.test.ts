import { setTimeout as pause } from "node:timers/promises";
import { ACL, type Client, CreateMode, createClient, Id, Permission } from "node-zookeeper-client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import type { MasterDetector } from "../../src/mesos/detector.ts";
import { createDetector } from "../../src/zookeeper/detector.ts";
import { missing as whatIsMissing } from "../support/missing.ts";
import { Ensemble, missingZooKeeper } from "../support/zookeeper-ensemble.ts";

const missing = missingZooKeeper();
/** Milliseconds: short, so that the death of a session is soon noticed. */
const SESSION = 3_000;

let ensemble: Ensemble;
const detectors: MasterDetector[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  if (missing !== undefined) return;
  ensemble = await Ensemble.create(3);
  await ensemble.startAll();
});

afterAll(() => ensemble?.close());

beforeEach((ctx) => {
  if (missing === undefined) return;
  if (process.env["CI"]) throw new Error(missing);
  ctx.skip(missing);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const detector of detectors.splice(0)) await detector.close();
});

interface Watched {
  readonly seen: (string | undefined)[];
  readonly warnings: string[];
  /** Waits until the last report is this one. */
  until(pid: string | undefined): Promise<void>;
  untilWarned(text: string): Promise<void>;
}

/** A detector on its way, and what it says. */
async function watch(path: string, more: { credentials?: string; servers?: string } = {}): Promise<Watched> {
  const seen: (string | undefined)[] = [];
  const warnings: string[] = [];
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resume of waiting.splice(0)) resume();
  };
  const warn = (line: string): void => {
    warnings.push(line);
    wake();
  };
  const log: Logger = { ...silentLogger, warn, error: warn };
  const user = more.credentials === undefined ? "" : `${more.credentials}@`;
  const detector = await createDetector(`zk://${user}${more.servers ?? ensemble.servers}${path}`, {
    clock: systemClock,
    log,
    sessionTimeout: SESSION,
  });
  detectors.push(detector);
  detector.watch((master) => {
    seen.push(master?.pid);
    wake();
  });
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        waiting = [...waiting, resolve];
      });
    }
  };
  return {
    seen,
    warnings,
    until: (pid) => until(() => seen.length > 0 && seen.at(-1) === pid),
    untilWarned: (text) => until(() => warnings.some((line) => line.includes(text))),
  };
}

interface Contender {
  readonly client: Client;
  /** Name of its znode. */
  readonly name: string;
}

/** Calls an operation of the library until it works: quorum comes and goes here. */
async function insist<T>(operation: (done: (error: unknown, value: T) => void) => void): Promise<T> {
  for (;;) {
    try {
      return await new Promise<T>((resolve, reject) => {
        operation((error, value) => (error ? reject(error) : resolve(value)));
      });
    } catch (error) {
      if ((error as { code?: number }).code !== -4) throw error;
      // The library refuses at once what it cannot send: without a pause it would never get to connect.
      await pause(20);
    }
  }
}

async function client(credentials?: string, servers = ensemble.servers): Promise<Client> {
  const made = createClient(servers, { sessionTimeout: 8_000, retries: 0 });
  clients.push(made);
  if (credentials !== undefined) made.addAuthInfo("digest", Buffer.from(credentials));
  // The library sends what was asked for before it connected ahead of the credentials.
  const connected = new Promise<void>((resolve) => {
    made.once("connected", () => resolve());
  });
  made.connect();
  await connected;
  return made;
}

/** A master that registers as such: an ephemeral, numbered znode. */
async function contend(
  path: string,
  pid: string,
  { label = "json.info", acls, servers }: { label?: string; acls?: ACL[]; servers?: string } = {},
): Promise<Contender> {
  const own = await client(acls === undefined ? undefined : "user:word", servers);
  const open = acls ?? [new ACL(Permission.ALL, new Id("world", "anyone"))];
  await insist<string>((done) => own.mkdirp(path, open, done));
  const [ip = "", port = ""] = pid.slice(pid.indexOf("@") + 1).split(":");
  const info = JSON.stringify({
    id: pid,
    ip: 16_777_343,
    port: Number(port),
    pid,
    address: { ip, port: Number(port) },
  });
  const content = Buffer.from(label === "" ? pid : info);
  // Without a label the library makes no sequence: it takes no path that ends in a slash.
  const [place, mode] =
    label === ""
      ? [`${path}/0000000007`, CreateMode.EPHEMERAL]
      : [`${path}/${label}_`, CreateMode.EPHEMERAL_SEQUENTIAL];
  const name = await insist<string>((done) => own.create(place, content, open, mode, done));
  return { client: own, name };
}

/** Dies politely: its znode is gone at once. */
const resign = (contender: Contender): Promise<void> =>
  insist((done) => contender.client.remove(contender.name, (error) => done(error, undefined)));

const first = "master@127.0.0.1:5050";
const second = "master@127.0.0.1:5051";

describe("leader detection with a real ensemble", () => {
  it("follows the leader, waits for the first one, and ignores log_replicas", async () => {
    const watched = await watch("/a/b/mesos");
    await watched.untilWarned("/a/b/mesos does not exist");
    expect(watched.seen).toEqual([]);
    const one = await contend("/a/b/mesos", first);
    await watched.until(first);
    await insist<string>((done) => one.client.create("/a/b/mesos/log_replicas", done));
    const two = await contend("/a/b/mesos", second);
    await resign(one);
    await watched.until(second);
    await resign(two);
    await watched.until(undefined);
    expect(watched.seen).toEqual([first, second, undefined]);
  });

  it("follows what ZooKeeper's own command line writes and deletes", async () => {
    const path = "/by-hand";
    const watched = await watch(path);
    const create = (name: string, data: string) => ensemble.commandLine("create", "-s", `${path}/${name}`, data);
    await ensemble.commandLine("create", path);
    await create("json.info_", JSON.stringify({ id: "a", ip: 16777343, port: 5050, pid: "master@10.0.0.1:5050" }));
    await watched.until("master@10.0.0.1:5050");
    await create("json.info_", JSON.stringify({ id: "b", ip: 16777343, port: 5050, pid: "master@10.0.0.2:5050" }));
    await ensemble.commandLine("create", `${path}/log_replicas`);
    await ensemble.commandLine("delete", `${path}/json.info_0000000000`);
    await watched.until("master@10.0.0.2:5050");
    await create("json.info_", "no JSON");
    await ensemble.commandLine("delete", `${path}/json.info_0000000001`);
    await watched.untilWarned("json.info_0000000003 cannot be read");
    await watched.until(undefined);
    expect(watched.seen.filter((pid) => pid !== undefined)).toEqual(["master@10.0.0.1:5050", "master@10.0.0.2:5050"]);
  });

  it("reads the address-only form of old masters", async () => {
    await contend("/old", first, { label: "" });
    await (await watch("/old")).until(first);
  });

  it("reaches servers by their IPv6 address", async (ctx) => {
    const [port] = ensemble.ports;
    await contend("/six", first);
    const watched = await watch("/six", { servers: `[::1]:${port}` });
    const outcome = await Promise.race([
      watched.until(first).then(() => "found"),
      watched.untilWarned("No connection").then(() => "unreachable"),
    ]);
    if (outcome === "unreachable") whatIsMissing(ctx, "this machine has no IPv6 loopback");
    expect(watched.seen).toEqual([first]);
  });

  it("authenticates where the group is not for everybody", async () => {
    await contend("/secret", first, { acls: [new ACL(Permission.ALL, new Id("auth", ""))] });
    const stranger = await watch("/secret");
    await stranger.untilWarned("give user:password in the zk:// url");
    expect(stranger.seen).toEqual([]);
    await (await watch("/secret", { credentials: "user:word" })).until(first);
  });

  it("moves on from a server that freezes", async () => {
    // The library that plays the masters never gives up a server that is silent: it does not get to know that one.
    const servers = ensemble.ports
      .slice(1)
      .map((port) => `127.0.0.1:${port}`)
      .join(",");
    const one = await contend("/frozen", first, { servers });
    const watched = await Promise.all(Array.from({ length: 6 }, () => watch("/frozen")));
    await Promise.all(watched.map((each) => each.until(first)));
    await contend("/frozen", second, { servers });
    ensemble.signal(0, "SIGSTOP");
    try {
      await resign(one);
      await Promise.all(watched.map((each) => each.until(second)));
    } finally {
      ensemble.signal(0, "SIGCONT");
    }
    await ensemble.startAll();
  });

  it("survives the loss of one server, of two, and their return", async () => {
    const one = await contend("/quorum", first);
    const watched = await watch("/quorum");
    await watched.until(first);
    await ensemble.kill(0);
    const two = await contend("/quorum", second);
    await resign(one);
    await watched.until(second);
    // No majority: nobody knows who leads.
    await ensemble.kill(1);
    await watched.until(undefined);
    await watched.untilWarned("check that a majority");
    await ensemble.startAll();
    // The second master's session lived on, or it ended: then a third one registers.
    const three = await contend("/quorum", first);
    await resign(two).catch(() => undefined);
    await watched.until(first);
    expect(three.name).toContain("json.info_");
  });

  it("waits for an ensemble that is down at start", async () => {
    for (const index of ensemble.ports.keys()) await ensemble.kill(index);
    const watched = await watch("/late");
    await watched.untilWarned("No connection to ZooKeeper");
    expect(watched.seen).toEqual([]);
    await ensemble.startAll();
    await contend("/late", first);
    await watched.until(first);
  });
});
