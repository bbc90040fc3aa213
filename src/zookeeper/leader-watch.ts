import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { leaderOf, type Member } from "./members.ts";
import { type OpenSession, ZooKeeperError, type ZooKeeperSession } from "./session.ts";
import { formatServers, type ZooKeeperUrl } from "./url.ts";

export interface LeaderWatchOptions {
  readonly url: ZooKeeperUrl;
  /** Milliseconds asked for; the ensemble may grant another one. */
  readonly sessionTimeout: number;
  readonly open: OpenSession;
  readonly clock: Clock;
  readonly log: Logger;
  /** The leader and its content, when another one leads; undefined when none does any more. */
  readonly report: (leader: { member: Member; content: Buffer } | undefined) => void;
}

/** Milliseconds between attempts at what did not work. */
const RETRY = 2_000;

/**
 * Watches who leads a group, for ever. A partition is noticed by our own timers: a read that is not answered within a
 * third of the session timeout moves us to another server, and a whole session timeout without a connection means that
 * we no longer know who leads (the session, and maybe the leader's, is over).
 */
export class LeaderWatch {
  readonly #options: LeaderWatchOptions;
  #session: ZooKeeperSession | undefined;
  #connected = false;
  /** Milliseconds: negotiated with the ensemble. */
  #timeout: number;
  /** Name of the znode last reported. */
  #leader: string | undefined;
  #reading = false;
  #again = false;
  #closed = false;
  #silentSince: number | undefined;
  #expiry: Timer | undefined;
  #beat: Timer | undefined;
  #lastProblem = "";

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
    this.#timeout = options.sessionTimeout;
  }

  start(): void {
    this.#open();
  }

  close(): void {
    this.#closed = true;
    this.#expiry?.cancel();
    this.#beat?.cancel();
    this.#session?.close();
  }

  #open(): void {
    if (this.#closed) return;
    const { url, sessionTimeout, open, clock } = this.#options;
    const { servers, credentials } = url;
    this.#session?.close();
    this.#connected = false;
    this.#reading = false;
    this.#awaitConnection();
    const session: ZooKeeperSession = open(
      { servers, credentials, timeout: sessionTimeout, clock },
      {
        connected: (timeout) => this.#session === session && this.#onConnected(timeout),
        disconnected: () => this.#session === session && this.#onDisconnected(),
        ended: (why) => this.#session === session && this.#onEnded(why),
      },
    );
    this.#session = session;
  }

  #onConnected(timeout: number): void {
    this.#connected = true;
    this.#timeout = timeout;
    this.#expiry?.cancel();
    this.#options.log.info(`Connected to ZooKeeper, session timeout ${timeout} ms`);
    this.#silentSince = undefined;
    this.#read();
  }

  #onDisconnected(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#beat?.cancel();
    this.#options.log.warn("Lost the connection to ZooKeeper; trying the other servers");
    this.#awaitConnection();
  }

  /** Gives up a server that takes the connection and says nothing, and the session when its time is over. */
  #awaitConnection(): void {
    const { clock, url } = this.#options;
    const deadline = clock.monotonic() + this.#timeout;
    const step = Math.max(1_000, this.#timeout / (url.servers.length + 1));
    this.#silentSince ??= clock.monotonic();
    const tick = (): void => {
      const left = deadline - clock.monotonic();
      if (left <= 0) this.#onExpiry();
      else {
        this.#expiry = clock.after(Math.min(step, left), () => {
          if (deadline - clock.monotonic() > 0) this.#session?.kick();
          tick();
        });
      }
    };
    this.#expiry?.cancel();
    tick();
  }

  #onExpiry(): void {
    const { url, clock, log } = this.#options;
    const silence = Math.round((clock.monotonic() - (this.#silentSince ?? clock.monotonic())) / 1_000);
    log.warn(
      `No connection to ZooKeeper (${formatServers(url.servers)}) for ${silence} s: who leads is unknown; trying on. ` +
        "If this lasts, check that a majority of the servers runs and can be reached",
    );
    this.#reportLeader(undefined);
    this.#open();
  }

  #onEnded(why: string): void {
    this.#options.log.warn(`The ZooKeeper session is over: ${why}; starting a new one`);
    this.#reportLeader(undefined);
    this.#connected = false;
    this.#beat?.cancel();
    this.#expiry?.cancel();
    this.#expiry = this.#options.clock.after(why === "expired" ? 0 : RETRY, () => this.#open());
  }

  readonly #changed = (): void => this.#read();

  /** Reads the group, once at a time; a change that comes meanwhile is read after. */
  #read(): void {
    const session = this.#session;
    if (!this.#connected || this.#closed || session === undefined) return;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    this.#again = false;
    this.#beat?.cancel();
    this.#beat = this.#options.clock.after(this.#timeout / 3, () => {
      this.#options.log.warn("ZooKeeper does not answer; trying another server");
      session.kick();
    });
    this.#group(session)
      .then(
        () => this.#timeout / 3,
        (error: unknown) => {
          if (session === this.#session) this.#problem(error);
          return RETRY;
        },
      )
      .then((next) => {
        if (session !== this.#session) return;
        this.#reading = false;
        this.#beat?.cancel();
        if (this.#again) this.#read();
        // Read again even when nothing seems to change: the answer proves that the server is there.
        else this.#beat = this.#options.clock.after(next, () => this.#read());
      });
  }

  async #group(session: ZooKeeperSession): Promise<void> {
    const { path } = this.#options.url;
    const leader = leaderOf(await session.children(path, this.#changed));
    if (session !== this.#session) return;
    if (leader === undefined) this.#reportLeader(undefined);
    else if (leader.name !== this.#leader) {
      const content = await session.data(`${path}/${leader.name}`);
      if (session !== this.#session) return;
      this.#reportLeader({ member: leader, content });
    }
    this.#lastProblem = "";
  }

  #problem(error: unknown): void {
    const { url, log } = this.#options;
    const failure = error instanceof ZooKeeperError ? error.failure : "other";
    // The connection's own events tell about it.
    if (failure === "disconnected") return;
    // The group, or the leader, is not there (any more): the next read sees more.
    if (failure === "no-node") this.#reportLeader(undefined);
    const text =
      failure === "no-node"
        ? `${url.path} does not exist in ZooKeeper, or its leader just went away: no master has registered there yet`
        : failure === "no-permission"
          ? `ZooKeeper does not let us read ${url.path}: give user:password in the zk:// url, as the masters have it`
          : `Reading ${url.path} from ZooKeeper failed: ${messageOf(error)}`;
    if (text !== this.#lastProblem) log.warn(`${text}; trying again every ${RETRY} ms`);
    this.#lastProblem = text;
  }

  #reportLeader(leader: { member: Member; content: Buffer } | undefined): void {
    if (leader?.member.name === this.#leader) return;
    this.#leader = leader?.member.name;
    this.#options.report(leader);
  }
}
