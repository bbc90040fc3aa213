import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type MasterInfo, MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { encodeJson } from "../mesos/json.ts";
import { type MemberSession, openSession, ZooKeeperError } from "../zookeeper/session.ts";
import { formatServers, parseZooKeeperUrl, type ZooKeeperUrl } from "../zookeeper/url.ts";

/** Milliseconds, as the next two. */
const SESSION_TIMEOUT = 10_000;
const RETRY = 2_000;
/** After so long without a word, a server is given up for the next one. */
const PATIENCE = Math.floor(SESSION_TIMEOUT / 3);

export interface ContenderContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** How a session is opened; a test brings its own. */
  readonly open?: (...of: Parameters<typeof openSession>) => MemberSession;
}

/**
 * Publishes a master in a ZooKeeper group as real ones do: an ephemeral, sequential `json.info_` child, made again when
 * the session was lost. There is no election here: the lowest child leads, and every development master serves at once.
 * A server that takes the connection and says nothing (one that is only just starting does so at times) is left: the
 * client library itself would wait for it for ever.
 */
export class Contender {
  readonly #url: ZooKeeperUrl;
  readonly #info: MasterInfo;
  readonly #context: ContenderContext;
  #session: MemberSession | undefined;
  /** Whole path of our child, once there is one. */
  #member: string | undefined;
  /** The next thing to happen by itself: a look at our child, another try, or the end of our patience. */
  #timer: Timer | undefined;
  #silenceTold = false;
  #joined: () => void = () => undefined;
  /** Resolves when the child exists for the first time. */
  readonly joined: Promise<void>;

  /** Throws a UserError when `url` is none. */
  constructor(url: string, info: MasterInfo, context: ContenderContext) {
    this.#url = parseZooKeeperUrl(url);
    this.#info = info;
    this.#context = context;
    this.joined = new Promise((resolve) => {
      this.#joined = resolve;
    });
  }

  start(): void {
    const { servers, credentials } = this.#url;
    const { clock, open = openSession } = this.#context;
    this.#member = undefined;
    const session: MemberSession = open(
      { servers, credentials, timeout: SESSION_TIMEOUT, clock },
      {
        connected: () => this.#session === session && this.#onConnected(session),
        disconnected: () => this.#session === session && this.#await(session),
        ended: (why) => this.#again(session, `the ZooKeeper session is over: ${why}`),
      },
    );
    this.#session = session;
    this.#await(session);
  }

  /** Withdraws: the child disappears with the session. */
  stop(): void {
    this.#timer?.cancel();
    this.#session?.close();
    this.#session = undefined;
  }

  /** Something is to come from the server: a connection, an answer. */
  #await(session: MemberSession): void {
    this.#next(PATIENCE, () => {
      if (!this.#silenceTold)
        this.#context.log.warn(
          `ZooKeeper (${formatServers(this.#url.servers)}) does not answer; trying on. Until it does, nobody finds this ` +
            "master there: check that a majority of its servers runs and can be reached",
        );
      this.#silenceTold = true;
      session.kick();
      this.#await(session);
    });
  }

  #next(milliseconds: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.after(milliseconds, callback);
  }

  #again(session: MemberSession, why: string): void {
    if (this.#session !== session) return;
    this.#context.log.warn(`Joining ZooKeeper's group ${this.#url.path} again: ${why}`);
    session.close();
    this.#session = undefined;
    this.#next(RETRY, () => this.start());
  }

  #onConnected(session: MemberSession): void {
    const member = this.#member;
    const { path } = this.#url;
    const data = Buffer.from(encodeJson(MasterInfoSchema, this.#info, { names: "v0" }));
    this.#await(session);
    const answer = member === undefined ? session.join(path, "json.info", data) : session.data(member);
    answer.then(
      (made) => {
        if (this.#session !== session) return;
        this.#silenceTold = false;
        if (typeof made === "string") {
          this.#member = made;
          this.#context.log.info(`Joined ZooKeeper's group as ${made}`);
          this.#joined();
        }
        // Read again and again: the answer proves that the server is there, and our child.
        this.#next(PATIENCE, () => this.#onConnected(session));
      },
      (error: unknown) => {
        // A read that the connection's end cut off: the session may live on, and our child with it.
        const cut = error instanceof ZooKeeperError && error.failure === "disconnected";
        if (member === undefined || !cut) this.#again(session, messageOf(error));
      },
    );
  }
}
