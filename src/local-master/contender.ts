import zookeeper, { type Client } from "node-zookeeper-client";
import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type MasterInfo, MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { encodeJson } from "../mesos/json.ts";
import { parseZooKeeperUrl, type ZooKeeperUrl } from "../zookeeper/url.ts";

const SESSION_TIMEOUT = 10_000;
const RETRY = 2_000;

/**
 * Publishes a master in a ZooKeeper group as real ones do: an ephemeral, sequential `json.info_` child, made again when
 * the session was lost. There is no election here: the lowest child leads, and every development master serves at once.
 */
export class Contender {
  readonly #url: ZooKeeperUrl;
  readonly #info: MasterInfo;
  readonly #clock: Clock;
  readonly #log: Logger;
  #client: Client | undefined;
  #retry: Timer | undefined;
  #stopped = false;
  #joined: () => void = () => undefined;
  /** Resolves when the child exists for the first time. */
  readonly joined: Promise<void>;

  /** Throws a UserError when `url` is none. */
  constructor(url: string, info: MasterInfo, context: { readonly clock: Clock; readonly log: Logger }) {
    this.#url = parseZooKeeperUrl(url);
    this.#info = info;
    this.#clock = context.clock;
    this.#log = context.log;
    this.joined = new Promise((resolve) => {
      this.#joined = resolve;
    });
  }

  start(): void {
    const { servers, credentials } = this.#url;
    const list = servers.map(({ host, port }) => `${host}:${port}`).join(",");
    const client = zookeeper.createClient(list, { sessionTimeout: SESSION_TIMEOUT, spinDelay: 1000, retries: 0 });
    this.#client = client;
    if (credentials !== undefined) client.addAuthInfo("digest", Buffer.from(credentials));
    client.once("connected", () => this.#join(client));
    client.on("expired", () => this.#again(client, "the ZooKeeper session expired"));
    client.connect();
  }

  /** Withdraws: the child disappears with the session. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#client?.close();
  }

  #again(client: Client, why: string): void {
    if (this.#stopped || this.#client !== client) return;
    this.#log.warn(`Joining ZooKeeper's group ${this.#url.path} again: ${why}`);
    client.close();
    this.#retry = this.#clock.after(RETRY, () => this.start());
  }

  #join(client: Client): void {
    const { path, credentials } = this.#url;
    const { ACL, Permission, Id, CreateMode } = zookeeper;
    const anyone = new Id("world", "anyone");
    const acls =
      credentials === undefined
        ? [new ACL(Permission.ALL, anyone)]
        : [new ACL(Permission.READ, anyone), new ACL(Permission.ALL, new Id("auth", ""))];
    const data = Buffer.from(encodeJson(MasterInfoSchema, this.#info, { names: "v0" }));
    client.mkdirp(path, acls, (error) => {
      if (error) return this.#again(client, messageOf(error));
      const mode = CreateMode.EPHEMERAL_SEQUENTIAL;
      client.create(`${path}/json.info_`, data, acls, mode, (failure, made) => {
        if (failure) return this.#again(client, messageOf(failure));
        this.#log.info(`Joined ZooKeeper's group as ${made}`);
        this.#joined();
      });
    });
  }
}
