import { readFileSync } from "node:fs";
import { createConnection, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { createDetector } from "../../zookeeper/detector.ts";
import { parseLocator } from "../../zookeeper/locator.ts";
import { maskZooKeeperUrl } from "../../zookeeper/url.ts";
import { localAddress } from "../address.ts";
import { type Check, type Finding, findings, fixHere, type Patient } from "./finding.ts";
import { zooKeeper } from "./zookeeper.ts";

/** Milliseconds to wait for a session, a leader, a connection. */
const PATIENCE = 6000;

function routes(): string {
  try {
    return readFileSync("/proc/net/route", "utf8");
  } catch {
    return "";
  }
}

/** The address that the master will be told. */
export const address: Check = async (patient) => {
  const { setting } = patient;
  const { ok, warning, failure } = findings("address");
  const master = setting("MESOS_MASTER");
  const given = setting("MESOS_IP") ?? setting("LIBPROCESS_IP");
  const advertised = setting("MESOS_ADVERTISE_IP") ?? setting("LIBPROCESS_ADVERTISE_IP");
  const found = localAddress(networkInterfaces(), routes(), master);
  const chosen = advertised ?? given ?? found?.address;
  const source = advertised ? "advertised" : given ? "MESOS_IP" : `from ${found?.from}`;
  if (chosen === undefined) return [failure("no IPv4 address was found", "set MESOS_IP")];
  const own = Object.values(networkInterfaces())
    .flat()
    .map((each) => each?.address);
  if (given !== undefined && given !== "0.0.0.0" && isIPv4(given) && !own.includes(given))
    return [
      failure(
        `MESOS_IP=${given} is no address of this machine (it has ${own.join(", ")})`,
        fixHere(patient, "correct MESOS_IP; with --net=host the host's addresses are there", "correct MESOS_IP"),
      ),
    ];
  const away = master !== undefined && master !== "local" && !/^(zk:\/\/)?(\S*@)?(127\.|localhost)/.test(master);
  if (chosen.startsWith("127.") && away)
    return [
      warning(
        `${chosen} (${source}) cannot be reached by a master elsewhere`,
        "set MESOS_IP to an address that the master reaches",
      ),
    ];
  return [ok(`${chosen} (${source})`)];
};

/** The first leader, or undefined after the patience. */
async function leaderOf(master: string, patient: Patient): Promise<MasterInfo | undefined> {
  const detector = await createDetector(master, { clock: patient.clock, log: silentLogger });
  try {
    const leader = new Promise<MasterInfo | undefined>((done) => detector.watch((info) => info && done(info)));
    return await Promise.race([leader, sleep(patient.clock, PATIENCE).then(() => undefined)]);
  } finally {
    await detector.close();
  }
}

/** A TCP connection to `host:port`, closed at once. */
function connects(host: string, port: number): Promise<void> {
  return new Promise((done, reject) => {
    const socket = createConnection({ host, port, timeout: PATIENCE });
    socket.once("connect", () => done());
    socket.once("error", reject);
    socket.once("timeout", () => reject(new Error(`no answer within ${PATIENCE / 1000} s`)));
    for (const event of ["connect", "error", "timeout"]) socket.once(event, () => socket.destroy());
  });
}

const LARGEST_SKEW = 5000;

/** ZooKeeper session, leader, TCP, version, and how far its clock is from ours. */
export const master: Check = async (patient) => {
  const { ok, failure } = findings("master");
  const text = patient.setting("MESOS_MASTER");
  if (text === undefined)
    return [failure("MESOS_MASTER is not set", "set it: host:port, zk://host:2181/mesos, or local")];
  if (text === "local") return [ok("local: the embedded development master")];
  const shown = maskZooKeeperUrl(text);
  try {
    const locator = parseLocator(text);
    const before: Finding[] = [];
    if (locator.kind === "zookeeper") {
      const found = await zooKeeper(locator.url, shown, patient.clock, PATIENCE);
      if (found.status !== "ok") return [found];
      before.push(found);
    }
    const leader = await leaderOf(text, patient);
    if (leader === undefined)
      return [
        ...before,
        locator.kind === "fixed"
          ? failure(`${shown}: its name cannot be resolved within ${PATIENCE / 1000} s`, "correct it, or the resolver")
          : failure(`${shown}: no leading master within ${PATIENCE / 1000} s`, "do the masters have a quorum?"),
      ];
    const host = leader.address?.ip || leader.hostname || "";
    const port = leader.address?.port ?? leader.port ?? 5050;
    await connects(host, port);
    const reached = locator.kind === "fixed" ? `${shown}: reached` : `the leader ${host}:${port} is reached`;
    return [...before, ok(reached), ...(await asked(host, port, patient))];
  } catch (error) {
    return [failure(`${shown}: ${messageOf(error)}`, "can this host reach the master (port 5050)?")];
  }
};

async function asked(host: string, port: number, { clock }: Patient): Promise<Finding[]> {
  const { ok, warning } = findings("master");
  try {
    const answer = await fetch(`http://${isIPv6(host) ? `[${host}]` : host}:${port}/version`, {
      signal: AbortSignal.timeout(PATIENCE),
    });
    const { version } = (await answer.json()) as { version?: string };
    const date = Date.parse(answer.headers.get("date") ?? "");
    const skew = Number.isNaN(date) ? 0 : Math.abs(clock.now() - date);
    return [
      ok(`Mesos ${version ?? "of unknown version"}`),
      ...(skew > LARGEST_SKEW
        ? [warning(`its clock is ${Math.round(skew / 1000)} s from ours`, "run an NTP client on both")]
        : []),
    ];
  } catch (error) {
    return [
      warning(
        `its version could not be read: ${messageOf(error)}`,
        `is ${host}:${port} a Mesos master? Ask it: curl http://${host}:${port}/version`,
      ),
    ];
  }
}
