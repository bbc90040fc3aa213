import { lookup } from "node:dns/promises";
import { open } from "node:fs/promises";
import { isIPv4 } from "node:net";
import type { Clock, Timer } from "../base/clock.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { MasterDetector } from "../mesos/detector.ts";
import type { MasterInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { type Locator, parseLocator } from "./locator.ts";
import { fixedMasterInfo, readMasterInfo } from "./master-info.ts";
import type { Member } from "./members.ts";
import { type OpenSession, openSession } from "./session.ts";

export interface DetectorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds: --zk_session_timeout. Default 10 s. */
  readonly sessionTimeout?: number;
  /** For tests: another way to ZooKeeper. */
  readonly openSession?: OpenSession;
  /** Address of a host name. Default: the system's resolver, IPv4. */
  readonly resolve?: (host: string) => Promise<string>;
}

const DEFAULT_SESSION_TIMEOUT = 10_000;
const RESOLVE_RETRY = 2_000;
/** Files that point to files that point to … */
const DEEPEST_FILE = 4;
const LARGEST_FILE = 64 * 1024;

/**
 * A detector for a value of --master: `host:port`, `id@host:port`, `zk://…`, or `file:///path` with one of these in it.
 * Throws a UserError when it cannot be read; a host name that cannot be resolved and an ensemble that is down are
 * waited for.
 */
export async function createDetector(locator: string, options: DetectorOptions): Promise<MasterDetector> {
  const found = await followFiles(parseLocator(locator));
  return found.kind === "fixed" ? new FixedDetector(found, options) : new ZooKeeperDetector(found.url, options);
}

async function followFiles(locator: Locator, depth = 0): Promise<Exclude<Locator, { kind: "file" }>> {
  if (locator.kind !== "file") return locator;
  if (depth >= DEEPEST_FILE) throw new UserError(`${locator.path}: too many files that point to files`);
  let text: string;
  try {
    text = await readSmallFile(locator.path);
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "does not exist" : `cannot be read: ${messageOf(error)}`;
    throw new UserError(`${locator.path}, which should name the master, ${why}`, "write the master's address into it", {
      cause: error,
    });
  }
  try {
    return await followFiles(parseLocator(text), depth + 1);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${locator.path}: ${error.message}`, error.fix, { cause: error });
  }
}

async function readSmallFile(path: string): Promise<string> {
  const handle = await open(path, "r");
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(LARGEST_FILE + 1), 0, LARGEST_FILE + 1, 0);
    if (bytesRead > LARGEST_FILE) throw new Error(`it is larger than ${LARGEST_FILE} bytes`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** One master at one address, for ever. Its name is resolved once, as soon as that works. */
class FixedDetector implements MasterDetector {
  readonly #locator: Locator & { kind: "fixed" };
  readonly #options: DetectorOptions;
  #timer: Timer | undefined;
  #closed = false;

  constructor(locator: Locator & { kind: "fixed" }, options: DetectorOptions) {
    this.#locator = locator;
    this.#options = options;
  }

  watch(listener: (master: MasterInfo | undefined) => void): void {
    const { host, id, port } = this.#locator;
    const { clock, log, resolve = systemResolve } = this.#options;
    const attempt = (told: boolean): void => {
      resolve(host).then(
        (ip) => {
          if (!this.#closed) listener(fixedMasterInfo(id, host, ip, port));
        },
        (error: unknown) => {
          if (this.#closed) return;
          if (!told) log.warn(`The master's host name '${host}' cannot be resolved (${messageOf(error)}); trying on`);
          this.#timer = clock.after(RESOLVE_RETRY, () => attempt(true));
        },
      );
    };
    attempt(false);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
  }
}

async function systemResolve(host: string): Promise<string> {
  return isIPv4(host) ? host : (await lookup(host, { family: 4 })).address;
}

/** The leader of a group in ZooKeeper. */
class ZooKeeperDetector implements MasterDetector {
  readonly #watch: LeaderWatch;
  readonly #log: Logger;
  #listener: (master: MasterInfo | undefined) => void = () => undefined;
  #known = false;

  constructor(url: (Locator & { kind: "zookeeper" })["url"], options: DetectorOptions) {
    this.#log = options.log;
    this.#watch = new LeaderWatch({
      url,
      sessionTimeout: options.sessionTimeout ?? DEFAULT_SESSION_TIMEOUT,
      open: options.openSession ?? openSession,
      clock: options.clock,
      log: options.log,
      report: (leader) => {
        const master = leader === undefined ? undefined : this.#read(leader);
        // An unreadable leader after none, and the other way round, is no change.
        if (master === undefined && !this.#known) return;
        this.#known = master !== undefined;
        this.#listener(master);
      },
    });
  }

  watch(listener: (master: MasterInfo | undefined) => void): void {
    this.#listener = listener;
    this.#watch.start();
  }

  async close(): Promise<void> {
    this.#watch.close();
  }

  #read({ member, content }: { member: Member; content: Buffer }): MasterInfo | undefined {
    try {
      return readMasterInfo(member, content);
    } catch (error) {
      this.#log.error(
        `The leader's znode ${member.name} cannot be read: ${messageOf(error)}; waiting for another leader`,
      );
      return undefined;
    }
  }
}
