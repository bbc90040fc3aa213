import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageError } from "./codec.ts";
import {
  Offer_Operation_Type,
  Offer_OperationSchema,
  type Resource,
  Resource_ReservationInfo_Type,
  ResourceSchema,
  Value_Type,
} from "./gen/mesos/v1/mesos_pb.ts";
import { coalesce, type Range, subtractRanges, thousandthsOf } from "./quantity.ts";
import { downgrade, upgrade } from "./reservations.ts";
import { applyConversion, configuredForm, conversionOf, providerOf } from "./resource-operations.ts";
import { Resources } from "./resources.ts";
import { parseResources } from "./resources-text.ts";

const { STATIC, DYNAMIC } = Resource_ReservationInfo_Type;
type Init = Omit<MessageInitShape<typeof ResourceSchema>, "$typeName" | "$unknown">;
const scalar = (name: string, value: number, more: Init = {}): Resource =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value }, ...more } as Init);
const bag = (...resources: Resource[]): Resources => Resources.of(resources);

const anyRange = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 }))
  .map(([begin, length]): Range => ({ begin: BigInt(begin), end: BigInt(begin + length) }));
const anyReservations = fc.constantFrom<Init>(
  {},
  { role: "web" },
  { role: "web", reservation: { principal: "p" } },
  { reservations: [{ type: DYNAMIC, role: "web", principal: "p" }] },
  {
    reservations: [
      { type: STATIC, role: "a" },
      { type: DYNAMIC, role: "a/b" },
    ],
  },
  { allocationInfo: { role: "web" } },
  { revocable: {} },
);
const anyResource = fc.oneof(
  fc
    .tuple(fc.constantFrom("cpus", "mem"), fc.integer({ min: 0, max: 9000 }), anyReservations)
    .map(([name, value, more]) => scalar(name, value / 1000, more)),
  fc
    .tuple(fc.array(anyRange, { maxLength: 4 }), anyReservations)
    .map(([range, more]) =>
      create(ResourceSchema, { name: "ports", type: Value_Type.RANGES, ranges: { range }, ...more } as Init),
    ),
  fc
    .tuple(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d")), anyReservations)
    .map(([item, more]) =>
      create(ResourceSchema, { name: "disks", type: Value_Type.SET, set: { item }, ...more } as Init),
    ),
  fc.constantFrom("one", "two").map((id) =>
    scalar("disk", 10, {
      role: "web",
      disk: { persistence: { id }, volume: { mode: 1, containerPath: "v" } },
    } as Init),
  ),
);
const anyResources = fc.array(anyResource, { maxLength: 8 }).map((list) => Resources.of(list));

describe("ranges", () => {
  const members = (ranges: readonly Range[]): Set<bigint> => {
    const all = new Set<bigint>();
    for (const { begin, end } of ranges) for (let value = begin; value <= end; value++) all.add(value);
    return all;
  };

  it("subtract as sets of numbers do, and stay coalesced", () => {
    fc.assert(
      fc.property(fc.array(anyRange), fc.array(anyRange), (a, b) => {
        const result = subtractRanges(coalesce(a), coalesce(b));
        expect(members(result)).toEqual(new Set([...members(a)].filter((value) => !members(b).has(value))));
        expect(coalesce(result)).toEqual(result);
      }),
    );
  });
});

describe("scalars", () => {
  it("are thousandths, so that sums are exact", () => {
    expect(bag(scalar("cpus", 0.1), scalar("cpus", 0.2)).equals(bag(scalar("cpus", 0.3)))).toBe(true);
    expect([0.0005, 0.0004, 1.2345, 2.0005].map(thousandthsOf)).toEqual([1, 0, 1235, 2001]);
  });
});

describe("the algebra", () => {
  it("adds in any order, and subtracts what was added", () => {
    fc.assert(
      fc.property(anyResources, anyResources, (a, b) => {
        expect(a.add(b).equals(b.add(a))).toBe(true);
        expect(a.add(b).contains(a)).toBe(true);
        expect(a.contains(a)).toBe(true);
        expect(a.subtract(a).isEmpty).toBe(true);
        // Ranges and sets are unions: only what b alone brought goes away again.
        const left = a.add(b).subtract(b);
        expect(a.contains(left)).toBe(true);
        expect(left.scalar("cpus") ?? 0).toBe(a.scalar("cpus") ?? 0);
      }),
    );
  });

  it("contains exactly what can be taken out and put back", () => {
    fc.assert(
      fc.property(anyResources, anyResources, (a, b) => {
        if (!a.contains(b)) return;
        expect(a.subtract(b).add(b).equals(a)).toBe(true);
      }),
    );
  });

  it("survives a round trip through messages in every format", () => {
    fc.assert(
      fc.property(anyResources, fc.constantFrom("post", "pre", "endpoint"), (resources, format) => {
        expect(Resources.of(resources.toMessages(format)).equals(resources)).toBe(true);
      }),
    );
  });

  it("never changes its operands", () => {
    fc.assert(
      fc.property(anyResources, anyResources, (a, b) => {
        const before = [a.toMessages(), b.toMessages()];
        a.add(b);
        a.subtract(b);
        a.allocatedTo("x");
        expect([a.toMessages(), b.toMessages()]).toEqual(before);
      }),
    );
  });

  it("strips what it allocated", () => {
    fc.assert(
      fc.property(anyResources, (resources) => {
        const bare = resources.unallocated();
        expect(bare.allocatedTo("r").unallocated().equals(bare)).toBe(true);
        expect(bare.allocatedTo("r").isEmpty).toBe(bare.isEmpty);
      }),
    );
  });
});

describe("kinds", () => {
  it("keeps volumes apart and counts shared ones", () => {
    const volume = (id: string, more: Init = {}) =>
      scalar("disk", 5, { role: "r", disk: { persistence: { id } }, ...more } as Init);
    expect([...bag(volume("a"), volume("b")).entries()]).toHaveLength(2);
    expect(bag(volume("a")).contains(bag(scalar("disk", 1, { role: "r" })))).toBe(false);
    const shared = bag(volume("a", { shared: {} }), volume("a", { shared: {} }));
    expect([...shared.entries()].map(({ copies }) => copies)).toEqual([2]);
    const one = bag(volume("a", { shared: {} }));
    expect([...shared.subtract(one).entries()].map(({ copies }) => copies)).toEqual([1]);
    expect(shared.toMessages()).toHaveLength(2);
  });

  it("does not care where a volume is mounted", () => {
    const at = (containerPath: string) =>
      bag(
        scalar("disk", 5, {
          role: "r",
          disk: { persistence: { id: "a" }, volume: { mode: 1, containerPath } },
        } as Init),
      );
    expect(at("here").contains(at("there"))).toBe(true);
  });

  it("never merges whole disks", () => {
    const mount = () => scalar("disk", 5, { disk: { source: { type: 2, mount: { root: "/m" } } } } as Init);
    expect([...bag(mount(), mount()).entries()]).toHaveLength(2);
    expect(
      bag(mount()).contains(bag(scalar("disk", 3, { disk: { source: { type: 2, mount: { root: "/m" } } } } as Init))),
    ).toBe(false);
  });

  it("gives a role what is unreserved, its own and its parents'", () => {
    const resources = parseResources("cpus:1;cpus(a):2;cpus(b):4;cpus(ab):8");
    expect(resources.reservableTo("a/x").cpus).toBe(3);
    expect(resources.reserved("b").cpus).toBe(4);
    expect(resources.unreserved().cpus).toBe(1);
  });
});

describe("reservation formats", () => {
  it.each<[Init, Init]>([
    [{ role: "*" }, {}],
    [{ role: "r" }, { reservations: [{ type: STATIC, role: "r" }] }],
    [{ role: "r", reservation: { principal: "p" } }, { reservations: [{ type: DYNAMIC, role: "r", principal: "p" }] }],
    [{ role: "r", reservation: {} }, { reservations: [{ type: DYNAMIC, role: "r" }] }],
  ])("upgrades %j", (pre, post) => {
    expect(upgrade(scalar("cpus", 1, pre))).toEqual(scalar("cpus", 1, post));
    expect(downgrade(scalar("cpus", 1, post), "pre")).toEqual(scalar("cpus", 1, pre));
  });

  it("leaves a refined resource as it is, which has no older form", () => {
    const refined = scalar("cpus", 1, {
      reservations: [
        { type: STATIC, role: "a" },
        { type: DYNAMIC, role: "a/b" },
      ],
    });
    expect(downgrade(refined, "pre")).toEqual(refined);
    expect(downgrade(refined, "endpoint")).toMatchObject({ role: "a/b", reservations: [{}, {}] });
  });
});

describe("what is refused", () => {
  it.each<[Init, string]>([
    [{ scalar: { value: -1 } }, "not a positive number"],
    [{ scalar: { value: Number.NaN } }, "not a positive number"],
    [{ ranges: { range: [] } }, "more than one value"],
    [{ type: Value_Type.SET }, "does not match its type"],
    [{ role: "a//b" }, "empty component"],
    [{ role: "a/-b" }, "begins with '-'"],
    [{ role: "a b" }, "white space"],
    [{ reservation: {} }, "dynamically reserved to the role '*'"],
    [{ reservations: [{ type: STATIC, role: "*" }] }, "reserved to the role '*'"],
    [{ reservations: [{ role: "a" }] }, "without type"],
    [
      {
        reservations: [
          { type: DYNAMIC, role: "a" },
          { type: STATIC, role: "a/b" },
        ],
      },
      "static reservation on top",
    ],
    [
      {
        reservations: [
          { type: DYNAMIC, role: "a" },
          { type: DYNAMIC, role: "ab" },
        ],
      },
      "not below 'a'",
    ],
    [{ disk: {} }, "only 'disk' may have"],
  ])("%j", (more, problem) => {
    const act = () => Resources.of([scalar("cpus", 1, more)]);
    expect(act).toThrow(MessageError);
    expect(act).toThrow(problem);
  });
});

describe("operations", () => {
  const reserved = (value: number) =>
    scalar("disk", value, { reservations: [{ type: DYNAMIC, role: "r", principal: "p" }] });
  const volume = (value: number, id = "v") =>
    scalar("disk", value, {
      reservations: [{ type: DYNAMIC, role: "r", principal: "p" }],
      disk: { persistence: { id }, volume: { mode: 1, containerPath: "v" } },
    } as Init);

  it("reserve, create, destroy, unreserve, and are back where they began", () => {
    const total = bag(scalar("disk", 10), scalar("cpus", 2));
    const operations = [
      { type: Offer_Operation_Type.RESERVE, reserve: { resources: [reserved(8)] } },
      { type: Offer_Operation_Type.CREATE, create: { volumes: [volume(5)] } },
    ].map((init) => conversionOf(create(Offer_OperationSchema, init)));
    const after = operations.reduce(applyConversion, total);
    expect(after.equals(bag(scalar("disk", 2), reserved(3), volume(5), scalar("cpus", 2)))).toBe(true);
    expect(after.needingCheckpoint().equals(bag(reserved(3), volume(5)))).toBe(true);
    expect(total.contains(configuredForm(after.needingCheckpoint()))).toBe(true);
    const back = [
      { type: Offer_Operation_Type.DESTROY, destroy: { volumes: [volume(5)] } },
      { type: Offer_Operation_Type.UNRESERVE, unreserve: { resources: [reserved(8)] } },
    ].map((init) => conversionOf(create(Offer_OperationSchema, init)));
    expect(back.reduce(applyConversion, after).equals(total)).toBe(true);
  });

  it("grow a volume by what is reserved beside it, and shrink it back", () => {
    const total = bag(reserved(3), volume(5), scalar("cpus", 2));
    const grown = applyConversion(
      total,
      conversionOf(
        create(Offer_OperationSchema, {
          type: Offer_Operation_Type.GROW_VOLUME,
          growVolume: { volume: volume(5), addition: reserved(2) },
        }),
      ),
    );
    expect(grown.equals(bag(reserved(1), volume(7), scalar("cpus", 2)))).toBe(true);
    const shrink = conversionOf(
      create(Offer_OperationSchema, {
        type: Offer_Operation_Type.SHRINK_VOLUME,
        shrinkVolume: { volume: volume(7), subtract: { value: 2 } },
      }),
    );
    expect(applyConversion(grown, shrink).equals(total)).toBe(true);
    for (const value of [0, 7, 8])
      expect(() =>
        conversionOf(
          create(Offer_OperationSchema, {
            type: Offer_Operation_Type.SHRINK_VOLUME,
            shrinkVolume: { volume: volume(7), subtract: { value } },
          }),
        ),
      ).toThrow(/cannot shrink by/);
  });

  it("are of the agent, of one provider, or of nobody", () => {
    const reserve = (...resources: ReturnType<typeof scalar>[]) =>
      create(Offer_OperationSchema, { type: Offer_Operation_Type.RESERVE, reserve: { resources } });
    const foreign = scalar("disk", 1, { providerId: { value: "csi" } });
    expect(providerOf(reserve(reserved(1)))).toBeUndefined();
    expect(providerOf(reserve(foreign))).toBe("csi");
    expect(() => providerOf(reserve(foreign, reserved(1)))).toThrow(/several/);
    expect(() => providerOf(reserve())).toThrow(/no resources/);
  });

  it("are refused when the resources are not there, or not of that kind", () => {
    const reserve = conversionOf(
      create(Offer_OperationSchema, { type: Offer_Operation_Type.RESERVE, reserve: { resources: [reserved(8)] } }),
    );
    expect(() => applyConversion(bag(scalar("disk", 7)), reserve)).toThrow(MessageError);
    for (const init of [
      { type: Offer_Operation_Type.RESERVE, reserve: { resources: [scalar("disk", 1)] } },
      { type: Offer_Operation_Type.CREATE, create: { volumes: [reserved(1)] } },
      { type: Offer_Operation_Type.CREATE, create: { volumes: [volume(1, "../../etc")] } },
      { type: Offer_Operation_Type.UNRESERVE, unreserve: { resources: [volume(1)] } },
      { type: Offer_Operation_Type.UNRESERVE },
      { type: Offer_Operation_Type.LAUNCH, launch: {} },
    ])
      expect(() => conversionOf(create(Offer_OperationSchema, init))).toThrow(MessageError);
  });
});
