import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Resource_DiskInfo_Source_Type, ResourceSchema, Value_Type } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { formatResources, parseResources } from "../mesos/resources-text.ts";
import { allocate, type Rules } from "./allocator.ts";
import type { Amounts } from "./consumption.ts";

const TOTAL = parseResources("cpus:10;mem:10000");

const bidder = (frameworkId: string, role: string, allocated = "") => ({
  frameworkId,
  role,
  allocated: allocated === "" ? Resources.empty : parseResources(allocated),
  wants: (_agent: string, offered: Resources) => offered,
});
const supply = (agentId: string, text: string) => ({ agentId, available: parseResources(text) });
const amounts = (named: { readonly [name: string]: number }): Amounts =>
  new Map(Object.entries(named).map(([name, value]) => [name, value * 1000]));

type Given = { readonly [name: string]: number };

function rules(
  quotas: { readonly [role: string]: { guarantees?: Given; limits?: Given; consumed?: Given } },
  weights: Given = {},
): Rules {
  const all = Object.entries(quotas);
  return {
    weights: new Map(Object.entries(weights)),
    quotas: new Map(
      all.map(([role, { guarantees = {}, limits = {} }]) => [
        role,
        { guarantees: amounts(guarantees), limits: amounts(limits) },
      ]),
    ),
    consumed: new Map(all.map(([role, { consumed = {} }]) => [role, amounts(consumed)])),
  };
}

const awards = (...parameters: Parameters<typeof allocate>) =>
  allocate(...parameters).map(
    ({ frameworkId, agentId, resources }) => `${frameworkId} ${agentId} ${formatResources(resources, "0.24")}`,
  );

describe("quotas and weights", () => {
  it("cut what a role is offered to its limit, over all agents, and give the rest to others", () => {
    const bidders = [bidder("a", "web"), bidder("b", "batch", "cpus:1")];
    const supplies = [supply("1", "cpus:4;mem:4000"), supply("2", "cpus:4;mem:4000")];
    expect(awards(bidders, supplies, TOTAL, rules({ web: { limits: { cpus: 5 }, consumed: { cpus: 2 } } }))).toEqual([
      "a 1 cpus(*):3; mem(*):4000",
      "b 1 cpus(*):1",
      "b 2 cpus(*):4; mem(*):4000",
    ]);
  });

  it("make no offer to a role that has all it may have", () => {
    const full = rules({ web: { limits: { cpus: 2, mem: 64 }, consumed: { cpus: 2, mem: 100 } } });
    expect(awards([bidder("a", "web")], [supply("1", "cpus:4;mem:4000")], TOTAL, full)).toEqual([]);
  });

  it("count a nested role with the role above it", () => {
    const limited = rules({ web: { limits: { cpus: 1 }, consumed: {} } });
    expect(awards([bidder("a", "web/front")], [supply("1", "cpus:4;mem:400")], TOTAL, limited)).toEqual([
      "a 1 cpus(*):1; mem(*):400",
    ]);
  });

  it("keep free what another role is guaranteed and has not", () => {
    const guaranteed = rules({ web: { guarantees: { cpus: 5 }, consumed: { cpus: 1 } } });
    const supplies = [supply("1", "cpus:3;mem:3000"), supply("2", "cpus:3;mem:3000")];
    // Nobody of the role asks now: four CPUs stay free for it.
    expect(awards([bidder("b", "batch")], supplies, TOTAL, guaranteed)).toEqual([
      "b 1 cpus(*):2; mem(*):3000",
      "b 2 mem(*):3000",
    ]);
  });

  it("serve who is owed first, however much it has already", () => {
    const guaranteed = rules({ web: { guarantees: { cpus: 6 }, consumed: { cpus: 3 } } });
    const bidders = [bidder("b", "batch"), bidder("a", "web", "cpus:3")];
    expect(awards(bidders, [supply("1", "cpus:4;mem:400"), supply("2", "cpus:4;mem:400")], TOTAL, guaranteed)).toEqual([
      "a 1 cpus(*):4; mem(*):400",
      "b 2 cpus(*):4; mem(*):400",
    ]);
  });

  it("leave alone what is reserved: it counts already", () => {
    const full = rules({ web: { limits: { cpus: 2 }, consumed: { cpus: 2 } } });
    expect(awards([bidder("a", "web")], [supply("1", "cpus(web):2;cpus:3")], TOTAL, full)).toEqual(["a 1 cpus(web):2"]);
  });

  it("let a heavier role have more before another one comes first", () => {
    const bidders = [bidder("a", "web", "cpus:3"), bidder("b", "batch", "cpus:2")];
    const supplies = [supply("1", "cpus:1")];
    expect(awards(bidders, supplies, TOTAL)).toEqual(["b 1 cpus(*):1"]);
    expect(awards(bidders, supplies, TOTAL, rules({}, { web: 2 }))).toEqual(["a 1 cpus(*):1"]);
  });
});

describe("resources cut to an amount", () => {
  it("are whole where they cannot be divided, and stay where nothing bounds them", () => {
    const all = parseResources("cpus:4;mem:100;ports:[1-10];cpus(web):2");
    const cut = (most: Given): string => formatResources(all.atMost(amounts(most)), "0.24");
    expect(cut({ cpus: 5 })).toBe("cpus(*):4; mem(*):100; ports(*):[1-10]; cpus(web):1");
    expect(cut({ cpus: 0, mem: 0.5 })).toBe("mem(*):0.5; ports(*):[1-10]");
    const mounted = create(ResourceSchema, {
      name: "disk",
      type: Value_Type.SCALAR,
      scalar: { value: 50 },
      disk: { source: { type: Resource_DiskInfo_Source_Type.MOUNT, mount: { root: "/m" } } },
    });
    const disk = parseResources("disk:100").add(Resources.of([mounted]));
    expect(disk.atMost(amounts({ disk: 120 })).scalar("disk")).toBe(100);
    expect(disk.atMost(amounts({ disk: 150 })).scalar("disk")).toBe(150);
  });
});
