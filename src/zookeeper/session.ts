import { ACL, type Client, CreateMode, createClient, Exception, Id, Permission, State } from "node-zookeeper-client";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { formatServers, type ZooKeeperServer } from "./url.ts";

/** Why an operation did not work, as far as it makes a difference to us. */
export type Failure = "no-node" | "no-permission" | "disconnected" | "other";

export class ZooKeeperError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, message: string) {
    super(message);
    this.name = "ZooKeeperError";
    this.failure = failure;
  }
}

export interface SessionEvents {
  /** Connected, again or for the first time; `timeout` is the negotiated session timeout in milliseconds. */
  connected(timeout: number): void;
  disconnected(): void;
  /** The session is over, for good. */
  ended(why: "expired" | "authentication failed"): void;
}

interface SessionOptions {
  readonly servers: readonly ZooKeeperServer[];
  /** `user:password` for digest authentication. */
  readonly credentials: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  readonly clock: Clock;
}

/** The part of a ZooKeeper client that watching a group needs. */
export interface ZooKeeperSession {
  /**
   * Names of the children; `changed` is called once when they are no longer these, also when the same function is given
   * for several reads. Throws a ZooKeeperError.
   */
  children(path: string, changed: () => void): Promise<string[]>;
  /** Content of a znode. Throws a ZooKeeperError. */
  data(path: string): Promise<Buffer>;
  /** Gives up the connection to the present server, and tries the next one. */
  kick(): void;
  /** Ends the session; no event comes any more. */
  close(): void;
}

/** A session that takes part in a group, too. */
export interface MemberSession extends ZooKeeperSession {
  /**
   * Makes an ephemeral, sequential child, and the folders above it where they are missing: readable by anyone, and with
   * credentials writable with them alone. Resolves to the child's whole path. Throws a ZooKeeperError.
   */
  join(path: string, label: string, data: Buffer): Promise<string>;
}

export type OpenSession = (options: SessionOptions, events: SessionEvents) => ZooKeeperSession;

/** Milliseconds that the library waits at most after all servers were tried. */
const SPIN = 1_000;

/** What we need of the library's inside: it takes no IPv6 servers, and never gives up a server that fell silent. */
interface Inside {
  readonly connectionManager: {
    servers: { host: string; port: number }[];
    socket?: { destroy(): void; on(event: "error", listener: () => void): void };
  };
}

/** A session by node-zookeeper-client. Each is used once: what ended or expired is replaced by another. */
export const openSession = (options: SessionOptions, events: SessionEvents): MemberSession => {
  const { servers, credentials, timeout, clock } = options;
  const client: Client = createClient(formatServers(servers), { sessionTimeout: timeout, spinDelay: SPIN, retries: 0 });
  const { connectionManager } = client as unknown as Inside;
  const shuffled = [...servers].map(({ host, port }) => ({ host, port, at: Math.random() }));
  connectionManager.servers = shuffled.sort((a, b) => a.at - b.at).map(({ host, port }) => ({ host, port }));
  let open = true;
  client.on("state", (state: State) => {
    if (!open) return;
    if (state === State.SYNC_CONNECTED) events.connected(client.getSessionTimeout());
    else if (state === State.DISCONNECTED) events.disconnected();
    else if (state === State.EXPIRED) events.ended("expired");
    else if (state === State.AUTH_FAILED) events.ended("authentication failed");
  });
  if (credentials !== undefined) client.addAuthInfo("digest", Buffer.from(credentials));
  client.connect();
  const drop = (): void => connectionManager.socket?.destroy();
  return {
    // Always the same `changed`: the library keeps each function once, and one wrapped anew for each read for ever.
    children: (path, changed) =>
      call((done) => client.getChildren(path, changed, (error, children) => done(error, children))),
    data: (path) => call((done) => client.getData(path, (error, data) => done(error, data))),
    async join(path, label, data) {
      const acls = aclsFor(credentials);
      await call<string>((done) => client.mkdirp(path, acls, done));
      const mode = CreateMode.EPHEMERAL_SEQUENTIAL;
      return call((done) => client.create(`${path}/${label}_`, data, acls, mode, done));
    },
    kick: drop,
    close() {
      open = false;
      client.close();
      // A little later: the goodbye is on its way then, and a connection attempt that was under way has begun.
      clock.after(250, drop);
      clock.after(2 * SPIN, drop);
    },
  };
};

function aclsFor(credentials: string | undefined): ACL[] {
  const anyone = new Id("world", "anyone");
  if (credentials === undefined) return [new ACL(Permission.ALL, anyone)];
  return [new ACL(Permission.READ, anyone), new ACL(Permission.ALL, new Id("auth", ""))];
}

function call<T>(operation: (done: (error: Error | Exception | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    operation((error, value) => {
      if (error === null || error === undefined) resolve(value);
      else reject(new ZooKeeperError(failureOf(error), messageOf(error)));
    });
  });
}

function failureOf(error: Error | Exception): Failure {
  switch ((error as { code?: number }).code) {
    case Exception.NO_NODE:
      return "no-node";
    case Exception.NO_AUTH:
    case Exception.AUTH_FAILED:
      return "no-permission";
    case Exception.CONNECTION_LOSS:
    case Exception.SESSION_EXPIRED:
      return "disconnected";
    default:
      return "other";
  }
}
