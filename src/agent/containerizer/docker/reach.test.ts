import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Place, probePlaces } from "./probe-places.ts";
import { type Reachable, reachOf } from "./reach.ts";

const ID = "0123456789abcdef".repeat(4);
const none = { ipv4: undefined, ipv6: undefined };
const own = { ipv4: "172.17.0.2", ipv6: undefined };
/** What the daemon says of containers in these networks. */
const networks: Readonly<Record<string, Pick<Reachable, "networkMode" | "addresses">>> = {
  HOST: { networkMode: "host", addresses: none },
  BRIDGE: { networkMode: "bridge", addresses: own },
  USER: { networkMode: "blue", addresses: own },
  NONE: { networkMode: "none", addresses: none },
  "another container's": { networkMode: `container:${"f".repeat(64)}`, addresses: none },
};

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), "proc-"));
  mkdirSync(join(proc, "self/ns"), { recursive: true });
  writeFileSync(join(proc, "self/ns/net"), "");
});
afterEach(() => rmSync(proc, { recursive: true }));

/** A process as /proc shows it. */
function addProcess(pid: number, groups: string, sharesOurNetwork: boolean): void {
  mkdirSync(join(proc, `${pid}`, "ns"), { recursive: true });
  writeFileSync(join(proc, `${pid}`, "cgroup"), groups);
  if (sharesOurNetwork) linkSync(join(proc, "self/ns/net"), join(proc, `${pid}`, "ns/net"));
  else writeFileSync(join(proc, `${pid}`, "ns/net"), "");
}

const container = (network: string, pid: number | undefined = 40): Reachable => {
  const found = networks[network];
  if (found === undefined) throw new Error(`no network ${network}`);
  return { id: ID, ...found, state: { pid } };
};

/** The reach in the words of the table. */
async function placeOf(seen: Reachable, again: () => Promise<Reachable | undefined> = async () => seen) {
  const reach = await reachOf(seen, again, proc);
  if (reach.kind === "namespace") await reach.net.close();
  const isNowhere = reach.kind === "address" && reach.addresses.ipv4 === undefined;
  return isNowhere ? "nothing" : (reach.kind satisfies Place);
}

const docker = probePlaces.filter(({ containerizer }) => containerizer === "docker");

it.each(docker)(
  "a container of the network $network is reached as the table says",
  async ({ network, seen, unseen }) => {
    expect(await placeOf(container(network)), "unseen").toBe(unseen);
    addProcess(40, `0::/system.slice/docker-${ID}.scope\n`, network === "HOST");
    expect(await placeOf(container(network)), "seen").toBe(seen);
  },
);

it("a task on the host's network is entered by an agent that has a network of its own", async () => {
  addProcess(40, `2:cpu:/docker/${ID}\n`, false);
  expect(await placeOf(container("HOST"))).toBe("namespace");
});

it("a number that means another process here is not taken for the container's", async () => {
  addProcess(40, "0::/user.slice\n", false);
  expect(await placeOf(container("BRIDGE"))).toBe("address");
  expect(await placeOf(container("NONE"))).toBe("nothing");
});

it("a container that was restarted is found by its new process, and its new address", async () => {
  addProcess(41, `0::/docker/${ID}\n`, false);
  expect(await placeOf(container("BRIDGE", 40), async () => container("BRIDGE", 41))).toBe("namespace");
  const moved = { ...container("BRIDGE", 42), addresses: { ...none, ipv4: "172.17.0.3" } };
  expect(await reachOf(container("BRIDGE", 40), async () => moved, proc)).toEqual({
    kind: "address",
    addresses: moved.addresses,
  });
});

it("what was last seen holds while the daemon does not answer", async () => {
  const dead = () => Promise.reject(new Error("the daemon is away"));
  expect(await placeOf(container("BRIDGE"), dead)).toBe("address");
});
