import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup, Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { messageOf, UserError } from "../../base/errors.ts";
import type { AddressFacts, Given, InterfaceAddress } from "./plan.ts";

/** What was given; `from` names the flag or variable as it was written. */
export interface AddressSettings {
  readonly ip: Given<string> | undefined;
  readonly ipDiscoveryCommand: Given<string> | undefined;
  readonly port: Given<number>;
  readonly advertiseIp: Given<string> | undefined;
  readonly advertisePort: Given<number> | undefined;
  readonly hostname: Given<string> | undefined;
  readonly hostnameLookup: boolean;
  /** The master, a `file://` already replaced by its content. */
  readonly master: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** No lookup or command may hold the start up for longer. */
const DEADLINE = 10_000;

/** Hosts of `zk://[user:pw@]h1:p,h2:p/path`, `host:port`, `master@host:port`; none for `local`. */
export function hostsOf(master: string): string[] {
  const text = master.trim();
  if (text === "" || text === "local") return [];
  const list =
    text
      .replace(/^zk:\/\//, "")
      .replace(/^[^/]*@/, "")
      .split("/")[0] ?? "";
  return list
    .split(",")
    .map((host) => host.trim().replace(/:\d*$/, ""))
    .filter((host) => host !== "" && !host.includes(":"));
}

function within<T>(work: Promise<T>): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, DEADLINE / 2, undefined).unref());
  return Promise.race([work.catch(() => undefined), late]);
}

async function resolved(host: string): Promise<string[]> {
  if (isIPv4(host)) return [host];
  const found = await within(lookup(host, { family: 4, all: true }));
  return found?.map(({ address }) => address) ?? [];
}

/** The address from which the kernel would send to `ip`. Connecting a UDP socket asks it without sending anything. */
async function sourceTowards(ip: string): Promise<string | undefined> {
  const socket = createSocket("udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(9, ip, resolve);
    });
    return socket.address().address;
  } catch {
    // No route.
    return undefined;
  } finally {
    socket.close();
  }
}

async function discovered(command: Given<string>): Promise<Given<string>> {
  const run = promisify(execFile);
  try {
    const { stdout } = await run("/bin/sh", ["-c", command.value], { timeout: DEADLINE, maxBuffer: 65_536 });
    return { value: stdout.trim(), from: command.from };
  } catch (error) {
    throw new UserError(
      `${command.from} failed: ${messageOf(error)}`,
      `run '${command.value}' by hand: it must print an address within ${DEADLINE / 1000} s and exit with 0`,
    );
  }
}

function fromEnvironment(environment: AddressSettings["environment"], name: string): Given<string> | undefined {
  const value = environment[name]?.trim();
  return value === undefined || value === "" ? undefined : { value, from: name };
}

function portFrom(given: Given<string> | undefined): Given<number> | undefined {
  if (given === undefined) return undefined;
  const value = /^\d{1,5}$/.test(given.value) ? Number(given.value) : 0;
  if (value > 0 && value < 65_536) return { value, from: given.from };
  throw new UserError(`${given.from} is '${given.value}', which is not a port`, "write a number from 1 to 65535");
}

function machineAddresses(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).filter(({ family }) => family === "IPv4").map(({ address }) => ({ device, address })),
  );
}

const hasDefaultRoute = (): boolean => {
  try {
    return /^\S+\t00000000\t/m.test(readFileSync("/proc/net/route", "utf8"));
  } catch {
    return false;
  }
};

/** Looks at this machine and at what was given. Throws a UserError when a command or a variable is at fault. */
export async function gatherAddressFacts(settings: AddressSettings): Promise<AddressFacts> {
  const { environment, ipDiscoveryCommand } = settings;
  const command = settings.ip === undefined ? ipDiscoveryCommand : undefined;
  const system = hostname();
  const hosts = hostsOf(settings.master);
  const [masters, systemAddresses] = await Promise.all([
    Promise.all(hosts.map(resolved)).then((found) => found.flat()),
    resolved(system),
  ]);
  const [first] = masters;
  return {
    ip: settings.ip ?? (command && (await discovered(command))) ?? fromEnvironment(environment, "LIBPROCESS_IP"),
    port: settings.port,
    advertiseIp: settings.advertiseIp ?? fromEnvironment(environment, "LIBPROCESS_ADVERTISE_IP"),
    advertisePort: settings.advertisePort ?? portFrom(fromEnvironment(environment, "LIBPROCESS_ADVERTISE_PORT")),
    hostname: settings.hostname,
    hostnameLookup: settings.hostnameLookup,
    interfaces: machineAddresses(),
    masters,
    masterIsEmbedded: settings.master.trim() === "local",
    towardsMaster: first === undefined ? undefined : await sourceTowards(first),
    // Any public address asks the routing table; nothing is sent.
    towardsDefault: hasDefaultRoute() ? await sourceTowards("192.0.2.1") : undefined,
    systemHostname: system,
    systemAddresses,
  };
}

/** The name of an address by reverse lookup, hosts file first; undefined without one. */
export async function reverseName(ip: string): Promise<string | undefined> {
  const entry = hostsFileName(ip);
  if (entry !== undefined) return entry;
  const names = await within(new Resolver({ timeout: 2000, tries: 1 }).reverse(ip));
  return names?.[0];
}

function hostsFileName(ip: string): string | undefined {
  try {
    const lines = readFileSync("/etc/hosts", "utf8").split("\n");
    const found = lines
      .map((line) => (line.split("#")[0] ?? "").trim().split(/\s+/))
      .find(([address]) => address === ip);
    return found?.[1];
  } catch {
    return undefined;
  }
}
