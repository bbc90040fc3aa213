import { isIPv4 } from "node:net";
import { UserError } from "../../base/errors.ts";

/** A value and where it is from, as messages name it: `--ip`, `MESOS_IP`, `LIBPROCESS_IP`. */
export interface Given<T> {
  readonly value: T;
  readonly from: string;
}

export interface InterfaceAddress {
  readonly device: string;
  readonly address: string;
}

/** Everything that decides which address, port and name this agent announces; gathered by `gatherAddressFacts`. */
export interface AddressFacts {
  /** --ip, else what --ip_discovery_command printed, else LIBPROCESS_IP. */
  readonly ip: Given<string> | undefined;
  readonly port: Given<number>;
  /** --advertise_ip, else LIBPROCESS_ADVERTISE_IP. */
  readonly advertiseIp: Given<string> | undefined;
  readonly advertisePort: Given<number> | undefined;
  readonly hostname: Given<string> | undefined;
  readonly hostnameLookup: boolean;
  /** IPv4 addresses of this machine's interfaces. */
  readonly interfaces: readonly InterfaceAddress[];
  /** IPv4 addresses of the master or of ZooKeeper's servers, as far as they could be found. */
  readonly masters: readonly string[];
  /** --master=local. */
  readonly masterIsEmbedded: boolean;
  /** The address from which this machine would speak to the first of `masters`; the kernel's choice. */
  readonly towardsMaster: string | undefined;
  /** The address from which it would speak to the internet; undefined without a default route. */
  readonly towardsDefault: string | undefined;
  readonly systemHostname: string;
  /** What the system's own host name resolves to. */
  readonly systemAddresses: readonly string[];
}

export interface AnnouncedAddress {
  readonly bind: { readonly ip: string; readonly port: number };
  readonly advertise: { readonly ip: string; readonly port?: number };
  readonly warnings: readonly string[];
  /** Which source chose what, for the log. */
  readonly lines: readonly string[];
}

const isLoopback = (ip: string): boolean => ip.startsWith("127.");
const ANY = "0.0.0.0";
/** Bridges that container engines and hypervisors make: nobody outside of this machine reaches their addresses. */
const BRIDGE = /^(docker|br-|virbr|lxcbr|lxdbr|cni|flannel|cbr|podman|veth)/;

const deviceOf = (facts: AddressFacts, ip: string): string | undefined =>
  facts.interfaces.find(({ address }) => address === ip)?.device;

/** Whether somebody on another machine must be able to reach the address: the master is not on this one. */
const mastersAreRemote = ({ masters, interfaces }: AddressFacts): boolean =>
  masters.some((ip) => !isLoopback(ip) && !interfaces.some(({ address }) => address === ip));

/** Why others could not reach the address; undefined when they could. */
function unreachable(facts: AddressFacts, ip: string): string | undefined {
  if (isLoopback(ip)) return "is a loopback address";
  const device = deviceOf(facts, ip);
  return device !== undefined && BRIDGE.test(device)
    ? `belongs to ${device}, a bridge inside of this machine`
    : undefined;
}

const FIX =
  "give --ip (MESOS_IP) an address of this machine that the master reaches, run the container with --net=host, or give " +
  "--advertise_ip the address under which others reach it";

const TOWARDS_MASTER = "it is the one that leads to the master";

/** The address to announce when nobody named one. */
function chosenAddress(facts: AddressFacts): Given<string> {
  if (facts.masterIsEmbedded) return { value: "127.0.0.1", from: "the master is in this program" };
  const candidates: Given<string | undefined>[] = [
    { value: facts.towardsMaster, from: TOWARDS_MASTER },
    ...facts.systemAddresses.map((value) => ({ value, from: `${facts.systemHostname} resolves to it` })),
    { value: facts.towardsDefault, from: "it is the default route's" },
    ...facts.interfaces.map(({ address, device }) => ({ value: address, from: `it is ${device}'s` })),
  ];
  const known = candidates.filter((one): one is Given<string> => one.value !== undefined && one.value !== ANY);
  const remote = mastersAreRemote(facts);
  // A master on this machine is reached by any address, and its own tells which network is meant.
  if (!remote && facts.masters.length > 0 && facts.towardsMaster !== undefined)
    return { value: facts.towardsMaster, from: TOWARDS_MASTER };
  const good = known.find(({ value }) => unreachable(facts, value) === undefined);
  if (good !== undefined) return good;
  const [first] = known;
  const why =
    first === undefined ? "this machine has no IPv4 address" : `${first.value} ${unreachable(facts, first.value)}`;
  throw new UserError(`no address was found that a master on another machine could reach: ${why}`, FIX);
}

function checkedIp({ value, from }: Given<string>): string {
  if (isIPv4(value)) return value;
  throw new UserError(
    `${from} is '${value}', which is not an IPv4 address`,
    "write it as four numbers, such as 10.0.0.5",
  );
}

function bindAddress(facts: AddressFacts): Given<string> {
  if (facts.ip === undefined) {
    const local = facts.masterIsEmbedded || (facts.masters.length > 0 && facts.masters.every(isLoopback));
    if (!local || facts.advertiseIp !== undefined) return { value: ANY, from: "no --ip is given" };
    return { value: "127.0.0.1", from: "the master is on this machine; --ip=0.0.0.0 opens it to others" };
  }
  const ip = checkedIp(facts.ip);
  const known = isLoopback(ip) || ip === ANY || facts.interfaces.some(({ address }) => address === ip);
  if (known) return facts.ip;
  const have = facts.interfaces.map(({ device, address }) => `${address} (${device})`).join(", ") || "none";
  throw new UserError(
    `${facts.ip.from} is ${ip}, which is no address of this machine; it has ${have}`,
    "choose one of them; for an address in front of it (NAT, a published port) use --advertise_ip. In a container, --net=host gives it the machine's addresses",
  );
}

function explicitWarnings(facts: AddressFacts, { value, from }: Given<string>): string[] {
  const why = unreachable(facts, value);
  if (why === undefined || !mastersAreRemote(facts)) return [];
  return [`The announced address ${value} (${from}) ${why}: a master on another machine cannot reach this agent by it`];
}

/** 172.17.0.0/16 on a container's own interface: Docker's default network. */
function containerWarnings(facts: AddressFacts, ip: string): string[] {
  if (!ip.startsWith("172.17.") || !mastersAreRemote(facts) || unreachable(facts, ip) !== undefined) return [];
  return [
    `The announced address ${ip} looks like one of Docker's default network, which other machines do not reach: run the ` +
      "container with --net=host, or give --advertise_ip and --advertise_port",
  ];
}

/**
 * The address and port to bind and to announce, and why (mesos-wire §1.8). Loopback or a bridge towards a master on
 * another machine is a UserError with the fix, unless somebody asked for it.
 */
export function planAddress(facts: AddressFacts): AnnouncedAddress {
  const bind = bindAddress(facts);
  const named = facts.advertiseIp ?? (bind.value === ANY ? undefined : facts.ip);
  const bound: Given<string> | undefined = bind.value === ANY ? undefined : { value: bind.value, from: bind.from };
  const advertised = named ?? bound ?? chosenAddress(facts);
  const ip = checkedIp(advertised);
  if (ip === ANY)
    throw new UserError(`${advertised.from} is 0.0.0.0, which nobody can dial`, "give the address that others dial");
  const port = facts.advertisePort;
  const shownPort = port === undefined ? "the bound port" : `${port.value} (${port.from})`;
  return {
    bind: { ip: bind.value, port: facts.port.value },
    advertise: { ip, ...(port === undefined ? {} : { port: port.value }) },
    warnings: named === undefined ? containerWarnings(facts, ip) : explicitWarnings(facts, advertised),
    lines: [
      `Binding ${bind.value}:${facts.port.value} (address: ${bind.from}; port: ${facts.port.from})`,
      `Announcing ${ip} (${advertised.from}), port: ${shownPort}`,
    ],
  };
}

export interface HostnamePlan {
  readonly hostname: string;
  readonly line: string;
}

/** What Docker calls a container that nobody named. */
const CONTAINER_ID = /^[0-9a-f]{12}$/;

/** A name that other machines can look up, as far as its form tells: no container id, no localhost. */
const isUseful = (name: string | undefined, ip: string): name is string =>
  name !== undefined && name !== "" && !CONTAINER_ID.test(name) && (isLoopback(ip) || !/^localhost(\.|$)/.test(name));

/**
 * The hostname to announce (mesos-agent-behaviour §2.5): the flag, else the announced address' own name, else the system's
 * if it leads to that address, else the address itself. `reverse` is what the address' reverse lookup gave.
 */
export function planHostname(facts: AddressFacts, ip: string, reverse: string | undefined): HostnamePlan {
  const plan = (hostname: string, why: string): HostnamePlan => ({ hostname, line: `Hostname: ${hostname} (${why})` });
  if (facts.hostname !== undefined) return plan(facts.hostname.value, facts.hostname.from);
  if (!facts.hostnameLookup) return plan(ip, "--no-hostname_lookup");
  if (isUseful(reverse, ip)) return plan(reverse, `reverse lookup of ${ip}`);
  if (facts.systemAddresses.includes(ip) && isUseful(facts.systemHostname, ip))
    return plan(facts.systemHostname, `the system's own name, which resolves to ${ip}`);
  return plan(ip, `${ip} has no name; --hostname sets one`);
}
