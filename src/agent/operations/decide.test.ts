import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type Offer_Operation,
  Offer_Operation_Type,
  Offer_OperationSchema,
  OperationState,
  Resource_DiskInfo_Source_Type,
  Resource_ReservationInfo_Type,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { decide, feedbackFor } from "./decide.ts";

const { OPERATION_DROPPED, OPERATION_ERROR } = OperationState;
const reserved = {
  name: "cpus",
  type: 0,
  scalar: { value: 1 },
  reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: "web" }],
  allocationInfo: { role: "web" },
} as const;
const reserve = (...resources: object[]): Offer_Operation =>
  create(Offer_OperationSchema, { type: Offer_Operation_Type.RESERVE, reserve: { resources } } as never);

describe("what is done with an operation", () => {
  it("is what it says, without the allocation that a framework's resources carry", () => {
    const decision = decide(reserve(reserved));
    if (decision.kind !== "apply") throw new Error(`it was ${decision.kind}`);
    for (const resources of [decision.conversion.consumed, decision.conversion.converted])
      for (const { kind } of resources.entries()) expect(kind.allocationInfo).toBeUndefined();
    expect(decision.conversion.converted.reserved("web").cpus).toBe(1);
    expect(decision.conversion.consumed.unreserved().cpus).toBe(1);
  });

  it("is a refusal where resource providers are concerned, since there are none", () => {
    expect(decide(reserve({ ...reserved, providerId: { value: "csi" } }))).toMatchObject({
      kind: "refuse",
      state: OPERATION_DROPPED,
      why: expect.stringContaining("'csi'"),
    });
    const createDisk = create(Offer_OperationSchema, {
      type: Offer_Operation_Type.CREATE_DISK,
      createDisk: {
        source: { name: "disk", type: 0, scalar: { value: 1 }, providerId: { value: "csi" } },
        targetType: Resource_DiskInfo_Source_Type.MOUNT,
      },
    });
    expect(decide(createDisk)).toMatchObject({ kind: "refuse", state: OPERATION_DROPPED });
  });

  it("is an error for what no agent can do by itself", () => {
    const launch = create(Offer_OperationSchema, { type: Offer_Operation_Type.LAUNCH, launch: {} });
    expect(decide(launch)).toMatchObject({ kind: "refuse", state: OPERATION_ERROR });
    const source = { name: "disk", type: 0, scalar: { value: 1 } } as const;
    const createDisk = create(Offer_OperationSchema, {
      type: Offer_Operation_Type.CREATE_DISK,
      createDisk: { source, targetType: Resource_DiskInfo_Source_Type.MOUNT },
    });
    expect(decide(createDisk)).toMatchObject({ kind: "refuse", state: OPERATION_ERROR });
    const mixed = reserve(reserved, { ...reserved, providerId: { value: "csi" } });
    expect(decide(mixed)).toMatchObject({ kind: "refuse", state: OPERATION_ERROR });
  });

  it("is a contradiction when the master has counted on nonsense", () => {
    const { reservations: _, ...unreserved } = reserved;
    expect(decide(reserve(unreserved))).toMatchObject({ kind: "contradiction" });
  });
});

describe("feedback", () => {
  it.each([
    ["1.11.0", "reliable", "reliable"],
    ["1.8.0", "reliable", "reliable"],
    ["1.8.0-rc2", "reliable", "reliable"],
    ["1.7.3", "once", "withheld"],
    ["1.5.0", "once", "withheld"],
    ["0.24.1", "once", "withheld"],
    ["", "once", "reliable"],
    [undefined, "once", "reliable"],
  ] as const)("to a master of version %s: %s without an id, %s with one", (version, without, withId) => {
    expect(feedbackFor(false, version)).toBe(without);
    expect(feedbackFor(true, version)).toBe(withId);
  });
});
