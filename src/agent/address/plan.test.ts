import { describe, expect, it } from "vitest";
import { hostsOf } from "./gather.ts";
import { type AddressFacts, planAddress, planHostname } from "./plan.ts";

const machine: AddressFacts = {
  ip: undefined,
  port: { value: 5051, from: "default" },
  advertiseIp: undefined,
  advertisePort: undefined,
  hostname: undefined,
  hostnameLookup: true,
  interfaces: [
    { device: "lo", address: "127.0.0.1" },
    { device: "docker0", address: "172.17.0.1" },
    { device: "eth0", address: "10.0.0.5" },
    { device: "eth1", address: "192.168.1.5" },
  ],
  masters: ["10.0.0.1"],
  masterIsEmbedded: false,
  towardsMaster: "10.0.0.5",
  towardsDefault: "192.168.1.5",
  systemHostname: "node",
  systemAddresses: ["127.0.1.1"],
};
const plan = (more: Partial<AddressFacts>) => planAddress({ ...machine, ...more });
const from = (value: string, source: string) => ({ value, from: source });

describe("the announced address", () => {
  it("is the one that leads to the master, and the log says so", () => {
    const { bind, advertise, lines, warnings } = plan({});
    expect([bind, advertise, warnings]).toEqual([{ ip: "0.0.0.0", port: 5051 }, { ip: "10.0.0.5" }, []]);
    expect(lines).toEqual([
      "Binding 0.0.0.0:5051 (address: no --ip is given; port: default)",
      "Announcing 10.0.0.5 (it is the one that leads to the master), port: the bound port",
    ]);
  });

  it("is what was given, and bound", () => {
    const given = plan({ ip: from("192.168.1.5", "MESOS_IP"), port: { value: 5055, from: "--port" } });
    expect([given.bind, given.advertise]).toEqual([{ ip: "192.168.1.5", port: 5055 }, { ip: "192.168.1.5" }]);
    expect(given.lines[1]).toBe("Announcing 192.168.1.5 (MESOS_IP), port: the bound port");
    const nat = plan({
      ip: from("0.0.0.0", "--ip"),
      advertiseIp: from("203.0.113.9", "--advertise_ip"),
      advertisePort: { value: 31051, from: "LIBPROCESS_ADVERTISE_PORT" },
    });
    expect([nat.bind.ip, nat.advertise]).toEqual(["0.0.0.0", { ip: "203.0.113.9", port: 31051 }]);
    expect(plan({ ip: from("0.0.0.0", "--ip") }).advertise.ip).toBe("10.0.0.5");
  });

  it("falls back on the host's name, the default route, an interface; never on loopback or a bridge", () => {
    const unknown = { masters: [], towardsMaster: undefined };
    expect(plan({ ...unknown, systemAddresses: ["127.0.1.1", "10.0.0.5"] }).lines[1]).toContain("node resolves to it");
    expect(plan({ ...unknown }).lines[1]).toContain("192.168.1.5 (it is the default route's)");
    expect(plan({ ...unknown, towardsDefault: undefined }).lines[1]).toContain("10.0.0.5 (it is eth0's)");
    const lost = { interfaces: machine.interfaces.slice(0, 2), towardsDefault: undefined, towardsMaster: "172.17.0.1" };
    expect(() => plan(lost)).toThrow("172.17.0.1 belongs to docker0, a bridge inside of this machine");
    expect(() => plan({ ...lost, towardsMaster: undefined })).toThrow("127.0.1.1 is a loopback address");
    expect(() => plan({ ...lost, towardsMaster: undefined, systemAddresses: [], interfaces: [] })).toThrow(
      "no IPv4 address",
    );
  });

  it("may be loopback when the master is here", () => {
    for (const facts of [
      { masterIsEmbedded: true, masters: [] },
      { masters: ["127.0.0.1"], towardsMaster: "127.0.0.1" },
    ]) {
      const local = plan(facts);
      expect([local.bind.ip, local.advertise.ip, local.warnings]).toEqual(["127.0.0.1", "127.0.0.1", []]);
    }
    const own = plan({ masters: ["10.0.0.5"], towardsMaster: "10.0.0.5" });
    expect([own.bind.ip, own.advertise.ip]).toEqual(["0.0.0.0", "10.0.0.5"]);
  });

  it("is loopback or a bridge towards another machine only when asked for, with a warning", () => {
    const { advertise, warnings } = plan({ ip: from("127.0.0.1", "--ip") });
    expect(advertise.ip).toBe("127.0.0.1");
    expect(warnings).toEqual([
      "The announced address 127.0.0.1 (--ip) is a loopback address: a master on another machine cannot reach this agent by it",
    ]);
    expect(plan({ ip: from("172.17.0.1", "--ip") }).warnings[0]).toContain("belongs to docker0");
  });

  it("warns about an address of Docker's default network", () => {
    const inside = plan({ interfaces: [{ device: "eth0", address: "172.17.0.2" }], towardsMaster: "172.17.0.2" });
    expect(inside.warnings[0]).toContain("run the container with --net=host");
  });

  it.each([
    [{ ip: from("10.9.9.9", "--ip") }, "no address of this machine; it has 127.0.0.1 (lo), 172.17.0.1 (docker0)"],
    [{ ip: from("fe80::1", "--ip") }, "--ip is 'fe80::1', which is not an IPv4 address"],
    [{ ip: from("", "--ip_discovery_command") }, "--ip_discovery_command is '', which is not an IPv4 address"],
    [{ advertiseIp: from("node.example", "LIBPROCESS_ADVERTISE_IP") }, "LIBPROCESS_ADVERTISE_IP is 'node.example'"],
    [{ advertiseIp: from("0.0.0.0", "--advertise_ip") }, "--advertise_ip is 0.0.0.0, which nobody can dial"],
  ])("refuses %j", (more, message) => {
    expect(() => plan(more)).toThrow(message);
  });
});

describe("the hostname", () => {
  const name = (more: Partial<AddressFacts>, ip = "10.0.0.5", reverse?: string) =>
    planHostname({ ...machine, ...more }, ip, reverse).hostname;
  it("is given, looked up, the system's, or the address", () => {
    expect(name({ hostname: from("given", "--hostname") }, "10.0.0.5", "reverse")).toBe("given");
    expect(name({ hostnameLookup: false }, "10.0.0.5", "reverse")).toBe("10.0.0.5");
    expect(name({}, "10.0.0.5", "node.example")).toBe("node.example");
    expect(name({}, "10.0.0.5", "localhost")).toBe("10.0.0.5");
    expect(name({ systemAddresses: ["10.0.0.5"] })).toBe("node");
    expect(name({})).toBe("10.0.0.5");
    expect(name({}, "127.0.0.1", "localhost")).toBe("localhost");
    expect(name({}, "10.0.0.5", "3f2a9b81c0de")).toBe("10.0.0.5");
  });
});

describe("the master's hosts", () => {
  it.each([
    ["local", []],
    ["10.0.0.1:5050", ["10.0.0.1"]],
    ["master@m.example:5050", ["m.example"]],
    ["zk://a:2181,b:2181,c/mesos", ["a", "b", "c"]],
    ["zk://user:p@ss@a:2181/mesos", ["a"]],
    ["zk://[::1]:2181/mesos", []],
  ])("%s", (master, hosts) => {
    expect(hostsOf(master)).toEqual(hosts);
  });
});
