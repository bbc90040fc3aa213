import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";
import { encode } from "../mesos/codec.ts";
import {
  FrameworkInfoSchema,
  Resource_ReservationInfo_Type,
  ResourceSchema,
  TaskInfoSchema,
  Value_Type,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type, CallSchema } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { newUuid } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { formatResources, parseResources } from "../mesos/resources-text.ts";
import { repeatedOffer } from "./acceptance.ts";
import { totalOf } from "./agents.ts";
import { allocate, type Bidder, dominantShare } from "./allocator.ts";
import { callProblem, decodeCall } from "./calls.ts";
import { frameworkProblem, updateProblem } from "./framework-validation.ts";
import { demandOf, type LaunchContext } from "./launch.ts";
import { ipNumber } from "./local-master.ts";

describe("the allocator", () => {
  const bidder = (frameworkId: string, held = "", role = "*"): Bidder => ({
    frameworkId,
    role,
    allocated: parseResources(held),
    wants: (_agent, offered) => offered,
  });
  const supply = (agentId: string, text: string) => ({ agentId, available: parseResources(text) });
  const total = parseResources("cpus:8;mem:8000");
  const shown = (...parameters: Parameters<typeof allocate>) =>
    allocate(...parameters).map(({ frameworkId, agentId, resources }) =>
      [frameworkId, agentId, formatResources(resources, "0.24")].join(" "),
    );

  it("measures by the resource that somebody holds most of", () => {
    expect(dominantShare(parseResources("cpus:2;mem:4000"), total)).toBe(0.5);
    expect(dominantShare(Resources.empty, Resources.empty)).toBe(0);
  });

  it("gives to whoever has least, counting what it just gave", () => {
    const bidders = [bidder("a", "cpus:1"), bidder("b")];
    expect(shown(bidders, [supply("1", "cpus:4;mem:4000"), supply("2", "cpus:4;mem:4000")], total)).toEqual([
      "b 1 cpus(*):4; mem(*):4000",
      "a 2 cpus(*):4; mem(*):4000",
    ]);
  });

  it("gives what is reserved only to its role", () => {
    const bidders = [bidder("a"), bidder("b", "", "web")];
    expect(shown(bidders, [supply("1", "cpus:1;cpus(web):2")], total)).toEqual(["a 1 cpus(*):1", "b 1 cpus(web):2"]);
  });

  it("makes no offer that is worth nothing, or not wanted", () => {
    expect(shown([bidder("a")], [supply("1", "mem:31;disk:1000")], total)).toEqual([]);
    const refusing = { ...bidder("a"), wants: () => Resources.empty };
    expect(shown([refusing, bidder("b")], [supply("1", "cpus:1")], total)).toEqual(["b 1 cpus(*):1"]);
  });
});

describe("calls", () => {
  const info = { user: "u", name: "n" };

  it("read Subscribe's field 2 by its wire type", () => {
    const frameworkInfo = encode(FrameworkInfoSchema, create(FrameworkInfoSchema, info));
    const call = (subscribe: BinaryWriter) =>
      new BinaryWriter()
        .tag(2, WireType.Varint)
        .int32(1)
        .tag(3, WireType.LengthDelimited)
        .bytes(subscribe.finish())
        .finish();
    const start = () => new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(frameworkInfo);
    const forced = decodeCall(call(start().tag(2, WireType.Varint).bool(true)));
    expect(forced.subscribe).toMatchObject({ frameworkInfo: info, suppressedRoles: [] });
    const suppressed = decodeCall(call(start().tag(2, WireType.LengthDelimited).string("web")));
    expect(suppressed.subscribe?.suppressedRoles).toEqual(["web"]);
  });

  it.each([
    [{}, "'type'"],
    [{ type: Call_Type.SUBSCRIBE }, "'subscribe'"],
    [{ type: Call_Type.TEARDOWN }, "'framework_id'"],
    [{ type: Call_Type.KILL, frameworkId: { value: "f" } }, "'kill'"],
    [{ type: Call_Type.SUBSCRIBE, subscribe: { frameworkInfo: info }, frameworkId: { value: "f" } }, "is not"],
    [{ type: Call_Type.SUBSCRIBE, subscribe: { frameworkInfo: { ...info, id: { value: "f" } } } }, "differs"],
    [
      {
        type: Call_Type.ACKNOWLEDGE,
        frameworkId: { value: "f" },
        acknowledge: { taskId: { value: "t" }, agentId: { value: "a" }, uuid: new Uint8Array(36) },
      },
      "16-byte",
    ],
    [{ type: Call_Type.REQUEST, frameworkId: { value: "f" } }, "'request'"],
    [
      {
        type: Call_Type.ACKNOWLEDGE_OPERATION_STATUS,
        frameworkId: { value: "f" },
        acknowledgeOperationStatus: { operationId: { value: "o" }, uuid: newUuid() },
      },
      "'agent_id'",
    ],
    [
      {
        type: Call_Type.ACKNOWLEDGE_OPERATION_STATUS,
        frameworkId: { value: "f" },
        acknowledgeOperationStatus: { operationId: { value: "o" }, agentId: { value: "a" }, uuid: new Uint8Array(3) },
      },
      "16-byte",
    ],
    [
      { type: Call_Type.UPDATE_FRAMEWORK, frameworkId: { value: "f" }, updateFramework: { frameworkInfo: info } },
      "differs",
    ],
  ])("%j are refused", (init, problem) => {
    expect(callProblem(create(CallSchema, init))).toContain(problem);
  });

  it("are accepted when well formed", () => {
    const acknowledge = { taskId: { value: "t" }, agentId: { value: "a" }, uuid: newUuid() };
    const call = create(CallSchema, { type: Call_Type.ACKNOWLEDGE, frameworkId: { value: "f" }, acknowledge });
    expect(callProblem(call)).toBeUndefined();
    const nameless = { type: Call_Type.SUBSCRIBE, subscribe: { frameworkInfo: { ...info, id: { value: "" } } } };
    expect(callProblem(create(CallSchema, nameless))).toBeUndefined();
  });
});

describe("launches", () => {
  const context: LaunchContext = {
    agentId: "a",
    available: parseResources("cpus:1;mem:100"),
    taskExists: (id) => id === "old",
    executorExists: (id) => id === "running",
  };
  const base = {
    name: "n",
    taskId: { value: "t" },
    agentId: { value: "a" },
    command: { value: "true" },
    resources: parseResources("cpus:1").toMessages("pre"),
  };
  const executor = (id: string) => ({
    executorId: { value: id },
    command: { value: "x" },
    resources: parseResources("mem:64").toMessages(),
  });
  const { command: _, ...commandless } = base;
  const demand = (init: object) => demandOf(create(TaskInfoSchema, init), "f", context);

  it("count an executor only when it is new", () => {
    expect(demand({ ...commandless, executor: executor("running") })).toMatchObject({ executor: Resources.empty });
    const fresh = demand({ ...commandless, executor: executor("new") });
    expect(typeof fresh === "string" ? fresh : fresh.executor.mem).toBe(64);
  });

  it.each<[object, string]>([
    [{ ...base, taskId: { value: "a/b" } }, "task id"],
    [{ ...base, taskId: { value: "old" } }, "exists"],
    [{ ...base, agentId: { value: "b" } }, "offers are of agent a"],
    [commandless, "exactly one"],
    [{ ...base, executor: executor("new") }, "exactly one"],
    [{ ...commandless, executor: { executorId: { value: "e" } } }, "needs a command"],
    [{ ...base, resources: [] }, "no resources"],
    [{ ...base, resources: parseResources("cpus:2").toMessages() }, "more resources (cpus:2) than available"],
    [{ ...base, resources: [{ name: "cpus", type: 0 }] }, "has no value"],
  ])("%j are refused", (init, problem) => {
    expect(demand(init)).toContain(problem);
  });

  it.each<[what: string, task: object, problem: string]>([
    ["the default executor", { executor: { ...executor("e"), type: 1 } }, "must be 'CUSTOM'"],
    ["an executor of no known type", { executor: { ...executor("e"), type: 0 } }, "must be 'CUSTOM'"],
    [
      "a negative grace",
      { executor: { ...executor("e"), shutdownGracePeriod: { nanoseconds: -1n } } },
      "'shutdown_grace_period' must be non-negative",
    ],
    [
      "an executor that shares control groups",
      { executor: { ...executor("e"), container: { type: 2, linuxInfo: { shareCgroups: true } } } },
      "cannot be set to 'true' on executor containers",
    ],
    [
      "a task alone that does not share them",
      { command: { value: "true" }, container: { type: 2, linuxInfo: { shareCgroups: false } } },
      "Only tasks in a task group",
    ],
  ])("%s is refused", (_what, task, problem) => expect(demand({ ...commandless, ...task })).toContain(problem));
});

describe("frameworks", () => {
  const info = (init: object) => create(FrameworkInfoSchema, { user: "u", name: "n", ...init });

  it.each<[object, string | undefined]>([
    [{}, undefined],
    [{ role: "web" }, undefined],
    [{ roles: ["a", "b"], capabilities: [{ type: 6 }] }, undefined],
    [{ roles: ["a"] }, "MULTI_ROLE"],
    [{ role: "a", capabilities: [{ type: 6 }] }, "must not be set"],
    [{ roles: ["a", "a"], capabilities: [{ type: 6 }] }, "twice"],
    [{ role: "a//b" }, "empty component"],
    [{ id: { value: "a/b" } }, "the id"],
    [{ id: { value: "" } }, undefined],
    [{ offerFilters: { "*": { minAllocatableResources: { quantities: [{}] } } } }, "at least one quantity"],
    [
      { offerFilters: { "*": { minAllocatableResources: { quantities: [{ quantities: { cpus: { value: -1 } } }] } } } },
      "Invalid resource quantity for 'cpus'",
    ],
    [{ failoverTimeout: Number.NaN }, "failover_timeout"],
  ])("%j", (init, problem) => {
    const found = frameworkProblem(info(init));
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });
});

it("a framework that runs keeps its principal, its user and whether it checkpoints", () => {
  const info = (init: object) => create(FrameworkInfoSchema, { user: "u", name: "n", principal: "p", ...init });
  const update = (init: object, suppressed: string[] = []) => updateProblem(info({}), info(init), suppressed);
  expect(update({ name: "another", failoverTimeout: 9 }, ["*"])).toBeUndefined();
  expect(update({ principal: "q" })).toContain("principal is not allowed");
  expect(update({ user: "root" })).toContain("'FrameworkInfo.user' is unsupported");
  expect(update({ checkpoint: true })).toContain("'FrameworkInfo.checkpoint' is unsupported");
  expect(update({ role: "a//b" })).toContain("empty component");
  expect(update({}, ["web"])).toBe("Suppressed role 'web' is not contained in the list of roles");
});

it("an offer is not accepted twice in one call", () => {
  expect(repeatedOffer([{ value: "a" }, { value: "b" }, { value: "a" }])).toBe("a");
  expect(repeatedOffer([{ value: "a" }, { value: "b" }])).toBeUndefined();
});

describe("agents", () => {
  it("must have configured what they have checkpointed", () => {
    const reserved = Resources.of([
      create(ResourceSchema, {
        name: "disk",
        type: Value_Type.SCALAR,
        scalar: { value: 8 },
        reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: "r" }],
      }),
    ]);
    expect(formatResources(totalOf(parseResources("disk:10"), reserved), "0.24")).toBe("disk(*):2; disk(r):8");
    expect(() => totalOf(parseResources("disk:7"), reserved)).toThrow("more than it has configured");
  });

  it("are told the master's address as Mesos writes it", () => {
    expect(ipNumber("10.0.0.1")).toBe(16777226);
    expect(ipNumber("nonsense")).toBe(0);
  });
});
