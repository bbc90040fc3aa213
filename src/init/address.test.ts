import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { localAddress } from "./address.ts";

const ipv4 = (address: string) => [{ family: "IPv4", address }] as NetworkInterfaceInfo[];
const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
ens3	00000000	0100A8C0	0003	0	0	0	00000000	0	0	0
ens4	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
`;
const interfaces = { lo: ipv4("127.0.0.1"), ens3: ipv4("192.168.0.5"), ens4: ipv4("10.1.2.3") };

test("eth0 first", () => {
  expect(localAddress({ ...interfaces, eth0: ipv4("172.16.0.2") }, ROUTES, "10.9.9.9:5050")).toEqual({
    address: "172.16.0.2",
    from: "eth0",
  });
});

test.for([
  ["10.9.9.9:5050", "10.1.2.3"],
  ["zk://10.9.9.9:2181,1.1.1.1:2181/mesos", "10.1.2.3"],
  ["8.8.8.8:5050", "192.168.0.5"],
  ["master.example:5050", "192.168.0.5"],
  [undefined, "192.168.0.5"],
  ["local", "127.0.0.1"],
  ["127.0.0.1:5050", "127.0.0.1"],
] as const)("without eth0, towards %s: %s", ([master, address]) => {
  expect(localAddress(interfaces, ROUTES, master)?.address).toBe(address);
});

test("no route, no guess", () => {
  expect(localAddress(interfaces, "", "8.8.8.8:5050")).toBeUndefined();
});
