import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { type AddressSettings, gatherAddressFacts, hostsOf, reverseName } from "./gather.ts";

const settings: AddressSettings = {
  ip: undefined,
  ipDiscoveryCommand: undefined,
  port: { value: 5051, from: "default" },
  advertiseIp: undefined,
  advertisePort: undefined,
  hostname: undefined,
  hostnameLookup: true,
  master: "127.0.0.1:5050",
  environment: {},
};
const gather = (more: Partial<AddressSettings>) => gatherAddressFacts({ ...settings, ...more });
const given = <T>(value: T, from: string) => ({ value, from });

describe("the hosts of a master", () => {
  it.each([
    ["zk://user:pw@h1:2181,h2:2181/mesos", ["h1", "h2"]],
    ["zk://h1/mesos", ["h1"]],
    ["zk://h1:2181 , h2:2181 /mesos", ["h1", "h2"]],
    ["10.0.0.1:5050", ["10.0.0.1"]],
    [" master@10.0.0.1:5050 ", ["10.0.0.1"]],
    ["zk://h1:2181, [::1]:2181/mesos", ["h1"]],
    ["local", []],
    [" local ", []],
    ["", []],
  ])("%s", (master, hosts) => {
    expect(hostsOf(master)).toEqual(hosts);
  });
});

describe("what is known of the address", () => {
  it("is what the machine says, when nothing is given", async () => {
    const facts = await gather({});
    expect(facts).toMatchObject({
      ip: undefined,
      advertiseIp: undefined,
      advertisePort: undefined,
      masters: ["127.0.0.1"],
      masterIsEmbedded: false,
      towardsMaster: "127.0.0.1",
      systemHostname: hostname(),
    });
    expect(facts.interfaces).toContainEqual({ device: "lo", address: "127.0.0.1" });
    expect(
      facts.interfaces.every(({ address }) => /^\d+(\.\d+){3}$/.test(address)),
      "IPv4 alone",
    ).toBe(true);
  });

  it("is no way to a master that cannot be reached, or that is in this process", async () => {
    expect(await gather({ master: "local" })).toMatchObject({
      masters: [],
      masterIsEmbedded: true,
      towardsMaster: undefined,
    });
    expect(await gather({ master: "0.0.0.0.invalid:5050" })).toMatchObject({ masters: [], towardsMaster: undefined });
    expect(await gather({ master: "zk://localhost:2181,127.0.0.2:2181/m" })).toMatchObject({
      masters: ["127.0.0.1", "127.0.0.2"],
    });
  });

  it("is the flag, then the command, then the variable", async () => {
    const environment = { LIBPROCESS_IP: " 10.0.0.3 " };
    const ipDiscoveryCommand = given("echo 10.0.0.2", "--ip_discovery_command");
    const ip = given("10.0.0.1", "--ip");
    expect((await gather({ environment, ipDiscoveryCommand, ip })).ip).toEqual(ip);
    expect((await gather({ environment, ipDiscoveryCommand })).ip).toEqual(given("10.0.0.2", "--ip_discovery_command"));
    expect((await gather({ environment })).ip).toEqual(given("10.0.0.3", "LIBPROCESS_IP"));
    expect((await gather({ environment: { LIBPROCESS_IP: " " } })).ip).toBeUndefined();
  });

  it("that is advertised is the flag, then the variable", async () => {
    const environment = { LIBPROCESS_ADVERTISE_IP: "10.0.0.3", LIBPROCESS_ADVERTISE_PORT: "5099" };
    expect(await gather({ environment })).toMatchObject({
      advertiseIp: given("10.0.0.3", "LIBPROCESS_ADVERTISE_IP"),
      advertisePort: given(5099, "LIBPROCESS_ADVERTISE_PORT"),
    });
    const flags = { advertiseIp: given("10.0.0.1", "--advertise_ip"), advertisePort: given(1, "--advertise_port") };
    expect(await gather({ environment, ...flags })).toMatchObject(flags);
  });

  it.each(["0", "65536", "many", "5051x", "x5051", "-1"])("is no port '%s'", async (port) => {
    await expect(gather({ environment: { LIBPROCESS_ADVERTISE_PORT: port } })).rejects.toThrow(
      `LIBPROCESS_ADVERTISE_PORT is '${port}', which is not a port`,
    );
  });

  it.each(["1", "65535"])("is the port '%s'", async (port) => {
    const { advertisePort } = await gather({ environment: { LIBPROCESS_ADVERTISE_PORT: port } });
    expect(advertisePort?.value).toBe(Number(port));
  });

  it("is not that of a command that fails, which is named with how to try it", async () => {
    const failing = gather({
      ipDiscoveryCommand: given("echo no such interface >&2; exit 3", "--ip_discovery_command"),
    });
    await expect(failing).rejects.toThrow(/^--ip_discovery_command failed: .*no such interface/s);
    await expect(failing).rejects.toMatchObject({ fix: expect.stringContaining("by hand") });
  });
});

it("an address has the name that the hosts file gives it", async () => {
  expect(await reverseName("127.0.0.1")).toBe("localhost");
});
