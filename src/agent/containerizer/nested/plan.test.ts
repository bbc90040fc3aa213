import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CommandInfoSchema, ContainerInfo_Type, ContainerInfoSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { NestedOrder } from "../../model/nested.ts";
import { environmentOf, recordOf, sessionCommandOf, specOf } from "./plan.ts";
import { ContainerNode } from "./tree.ts";

const order = (more: Partial<NestedOrder> = {}): NestedOrder => ({
  chain: ["root", "a"],
  command: create(CommandInfoSchema, { value: "true" }),
  container: undefined,
  resources: [],
  limits: {},
  ...more,
});
const node = (chain: NestedOrder["chain"], sandbox: string, groupsOf: string) =>
  new ContainerNode({ chain, kind: "nested", place: { sandbox }, user: "u", groupsOf, kill: () => undefined });
const root = node(["root"], "/w/run", "root");
const setting = { workDir: "/w", switchesUser: true };

describe("a nested container", () => {
  it("lies in its parent's sandbox, runs as its user and in its control groups", () => {
    const record = recordOf(order(), root, root, setting);
    expect(record).toMatchObject({ sandbox: "/w/run/containers/a", within: "/w/run", user: "u", groupsOf: "root" });
    const spec = specOf(record, root);
    expect(spec).toMatchObject({
      containerId: "root.a",
      parentSandbox: "/w/run",
      within: "/w/run",
      sharesGroupsOf: "root",
    });
  });

  it("has groups of its own when it asks for them", () => {
    const container = create(ContainerInfoSchema, {
      type: ContainerInfo_Type.MESOS,
      linuxInfo: { shareCgroups: false },
    });
    const spec = specOf(recordOf(order({ container }), root, root, setting), root);
    expect(spec.sharesGroupsOf).toBeUndefined();
  });

  it("is in the groups of the nearest container that has some", () => {
    const parent = node(["root", "a"], "/w/run/containers/a", "root");
    const record = recordOf(order({ chain: ["root", "a", "b"] }), root, parent, setting);
    expect(record).toMatchObject({ sandbox: "/w/run/containers/a/containers/b", within: "/w/run", groupsOf: "root" });
  });

  it("runs as the user of its command only where users are switched", () => {
    const command = create(CommandInfoSchema, { value: "true", user: "other" });
    expect(recordOf(order({ command }), root, root, setting).user).toBe("other");
    expect(recordOf(order({ command }), root, root, { ...setting, switchesUser: false }).user).toBe("u");
  });

  it.each([
    [{ command: undefined }, "The container has no command"],
    [{ container: create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER }) }, "ContainerInfo is not supported"],
  ])("cannot be %j", (more, why) => {
    expect(() => recordOf(order(more), root, root, setting)).toThrow(why);
  });
});

it("a container that stands alone lies in the work_dir, with groups of its own", () => {
  const record = recordOf(order({ chain: ["alone"] }), undefined, undefined, setting);
  expect(record).toMatchObject({ sandbox: "/w/containers/alone", within: "/w/containers/alone", groupsOf: "alone" });
  expect(specOf(record, undefined).within).toBeUndefined();
});

it("it gets nothing of the agent's environment", () => {
  const command = create(CommandInfoSchema, { environment: { variables: [{ name: "A", value: "1" }] } });
  expect(environmentOf(command, "/s")).toEqual({ PATH: expect.any(String), MESOS_SANDBOX: "/s", A: "1" });
});

describe("the command of a session", () => {
  const session = (command: object, container: object = {}) =>
    sessionCommandOf({
      command: create(CommandInfoSchema, command),
      container: create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, ...container }),
    }).value;

  it("may have a terminal", () => {
    expect(session({ value: "sh" }, { ttyInfo: { windowSize: { rows: 1, columns: 2 } } })).toBe("sh");
    expect(session({ value: "" })).toBe("");
  });

  it.each([
    [{}, {}, "Shell command is not specified"],
    [{ value: "x", uris: [{ value: "http://there/it" }] }, {}, "Sessions cannot have URIs"],
    [{ value: "x" }, { volumes: [{ mode: 1, containerPath: "a" }] }, "Sessions cannot have volumes"],
    [{ value: "x" }, { rlimitInfo: {} }, "Sessions cannot have resource limits"],
    [{ value: "x" }, { mesos: { image: { type: 2 } } }, "Sessions cannot have an image"],
    [{ value: "x" }, { linuxInfo: { capabilityInfo: {} } }, "Sessions cannot have capabilities"],
    [{ value: "x" }, { type: ContainerInfo_Type.DOCKER }, "not supported"],
  ])("%j in a container %j is refused with what is not done: nothing is dropped", (command, container, words) => {
    expect(() => session(command, container)).toThrow(words);
  });
});
