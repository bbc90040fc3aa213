import { UserError } from "../base/errors.ts";

export interface ZooKeeperServer {
  /** Name, IPv4 address, or IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface ZooKeeperUrl {
  readonly servers: readonly ZooKeeperServer[];
  /** `/mesos`, `/a/b`: absolute, without a slash at the end. */
  readonly path: string;
  /** `user:password`, the plain bytes of digest authentication. A secret. */
  readonly credentials: string | undefined;
}

const EXAMPLE = "write zk://host1:2181,host2:2181/mesos, or zk://user:password@host1:2181/mesos";
const DEFAULT_PORT = 2181;
const MOST_SERVERS = 64;

/**
 * Reads `zk://[user:password@]host[:port],…/path`. Everything before the last `@` is the credential, so a password may
 * hold one. Throws a UserError that never repeats the credential.
 */
export function parseZooKeeperUrl(text: string): ZooKeeperUrl {
  const bad = (what: string): UserError => new UserError(`${maskZooKeeperUrl(text)}: ${what}`, EXAMPLE);
  if (!text.startsWith("zk://")) throw bad("this is not a ZooKeeper url");
  const rest = text.slice("zk://".length);
  const at = rest.lastIndexOf("@");
  const credentials = at === -1 ? undefined : rest.slice(0, at);
  if (credentials !== undefined && !/^[^:]+:/.test(credentials)) throw bad("the part before '@' is not user:password");
  const place = rest.slice(at + 1);
  const slash = place.indexOf("/");
  const path = slash === -1 ? "" : place.slice(slash).replace(/\/+$/, "");
  if (path === "") throw bad("the path of the masters' group is missing");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must be kept out.
  if (/\/(\.{0,2})(\/|$)|[\x00-\x1f\x7f]/.test(path)) throw bad(`'${path}' is not a path in ZooKeeper`);
  const servers = (slash === -1 ? place : place.slice(0, slash)).split(",").map((server) => parseServer(server, bad));
  if (servers.length > MOST_SERVERS) throw bad(`more than ${MOST_SERVERS} servers`);
  return { servers, path, credentials };
}

function parseServer(text: string, bad: (what: string) => UserError): ZooKeeperServer {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (host === undefined) {
    const hint = text.split(":").length > 2 ? " (an IPv6 address stands in brackets: [::1]:2181)" : "";
    throw bad(`'${text}' is not host:port${hint}`);
  }
  if (port < 1 || port > 65_535) throw bad(`${port} is not a port`);
  return { host, port };
}

/** The url with its password replaced, for logs and /flags. */
export function maskZooKeeperUrl(text: string): string {
  const at = text.lastIndexOf("@");
  if (at === -1 || !text.startsWith("zk://")) return text;
  const user = text.slice("zk://".length, at).split(":", 1)[0] ?? "";
  return `zk://${user}:****@${text.slice(at + 1)}`;
}

/** `h1:2181,[::1]:2181`. */
export function formatServers(servers: readonly ZooKeeperServer[]): string {
  return servers.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
}
