import type { NetworkInterfaceInfo } from "node:os";

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

interface Route {
  readonly device: string;
  readonly destination: number;
  readonly mask: number;
}

/** /proc/net/route: hexadecimal, in the byte order of the machine (little endian). */
function routesOf(text: string): Route[] {
  const word = (hex: string): number => Buffer.from(hex, "hex").readUInt32LE();
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter((fields) => /^[0-9A-Fa-f]{8}$/.test(fields[1] ?? "") && /^[0-9A-Fa-f]{8}$/.test(fields[7] ?? ""))
    .map((fields) => ({ device: fields[0] ?? "", destination: word(fields[1] ?? ""), mask: word(fields[7] ?? "") }));
}

const toNumber = (address: string): number =>
  address.split(".").reduce((sum, part) => (sum * 256 + Number(part)) >>> 0, 0);

/** The first IPv4 literal in a master's address (`zk://10.0.0.1:2181,…`, `10.0.0.1:5050`). */
function literalOf(master: string | undefined): string | undefined {
  return /(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])/.exec(master ?? "")?.[1];
}

/** The device that leads to `address`; the default route's when the address is not known. */
function deviceTowards(address: string | undefined, routes: readonly Route[]): string | undefined {
  const target = address === undefined ? 0 : toNumber(address);
  const fitting = routes.filter(({ destination, mask }) =>
    address === undefined ? mask === 0 : (target & mask) >>> 0 === destination,
  );
  return fitting.sort((a, b) => b.mask - a.mask)[0]?.device;
}

const firstIPv4 = (found: Interfaces[string]): string | undefined =>
  found?.find(({ family, address }) => family === "IPv4" && address !== "")?.address;

/**
 * The address that `local` gives to MESOS_HOSTNAME: eth0's first IPv4; without eth0, that of the interface that routes to
 * the master (the default route when the master is a name). Undefined when there is neither.
 */
export function localAddress(
  interfaces: Interfaces,
  routeTable: string,
  master: string | undefined,
): { readonly address: string; readonly from: string } | undefined {
  const eth0 = firstIPv4(interfaces["eth0"]);
  if (eth0 !== undefined) return { address: eth0, from: "eth0" };
  const literal = literalOf(master);
  if (literal?.startsWith("127.") || master === "local") return { address: "127.0.0.1", from: "lo" };
  const device = deviceTowards(literal, routesOf(routeTable));
  const address = device === undefined ? undefined : firstIPv4(interfaces[device]);
  return address === undefined ? undefined : { address, from: `${device}, which routes to the master` };
}
