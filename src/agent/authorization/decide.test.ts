import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandInfoSchema, ContainerInfo_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseAcls, type Rule } from "./acls.ts";
import { approverOf } from "./approver.ts";
import { allowsEverything, decide } from "./decide.ts";

const ANY = { type: "ANY" };
const NONE = { type: "NONE" };
const some = (...values: string[]) => ({ values });

/** What a file says of view_tasks (objects are users), for `subject` and `user`; undefined is nobody, and no user. */
function allows(file: object, subject: string | undefined, user: string | undefined): boolean {
  const who = subject === undefined ? undefined : ({ kind: "principal", name: subject } as const);
  return approverOf(parseAcls(file), who)?.allows("view_tasks", user) ?? true;
}
const rule = (principals: object, users: object) => ({ principals, users });

describe("a rule, by whom and what it names (the matrix of Mesos)", () => {
  // columns: principal p user u · principal q · user v · nobody · no user. undefined: the rule is about something else.
  it.each([
    [ANY, ANY, true, true, true, true, true],
    [ANY, NONE, false, false, false, false, false],
    [ANY, some("u"), true, true, undefined, true, undefined],
    [NONE, ANY, false, false, false, false, false],
    [NONE, NONE, false, false, false, false, false],
    [NONE, some("u"), false, false, undefined, false, undefined],
    [some("p"), ANY, true, undefined, true, undefined, true],
    [some("p"), NONE, false, undefined, false, undefined, false],
    [some("p"), some("u"), true, undefined, undefined, undefined, undefined],
    [some(), ANY, undefined, undefined, undefined, undefined, undefined],
  ])("principals %j, users %j", (principals, users, ...expected) => {
    const asked = [
      ["p", "u"],
      ["q", "u"],
      ["p", "v"],
      [undefined, "u"],
      ["p", undefined],
    ] as const;
    for (const permissive of [true, false]) {
      const file = { permissive, view_tasks: [rule(principals, users)] };
      const decided = asked.map(([subject, user]) => allows(file, subject, user));
      expect(decided, `permissive ${permissive}`).toEqual(expected.map((one) => one ?? permissive));
    }
  });
});

it("the first rule that is about the request decides", () => {
  const refused = rule(some("p"), NONE);
  const allowed = rule(some("p"), ANY);
  expect(allows({ view_tasks: [refused, allowed] }, "p", "u")).toBe(false);
  expect(allows({ permissive: false, view_tasks: [allowed, refused] }, "p", "u")).toBe(true);
  // Rules are not added up: what the first says nothing of is left to the second.
  const file = { permissive: false, view_tasks: [rule(some("p"), some("u")), rule(some("p"), some("v"))] };
  expect(["u", "v", "w"].map((user) => allows(file, "p", user))).toEqual([true, true, false]);
});

it("rules of another action say nothing", () => {
  expect(allows({ permissive: false, view_executors: [rule(ANY, ANY)] }, "p", "u")).toBe(false);
  expect(allows({ view_executors: [rule(ANY, NONE)] }, "p", "u")).toBe(true);
});

describe("roles", () => {
  const sees = (role: string, values: string[], permissive = false): boolean =>
    approverOf(parseAcls({ permissive, view_roles: [{ principals: ANY, roles: some(...values) }] }), undefined)?.allows(
      "view_roles",
      role,
    ) ?? true;
  it.each([
    ["a", ["a"], true],
    ["a/b", ["a"], false],
    ["a", ["a/%"], false],
    ["a/b", ["a/%"], true],
    ["a/b/c", ["a/%"], true],
    ["ab/c", ["a/%"], false],
    ["a/b", ["a/b/%"], false],
    ["x", ["a/%", "x"], true],
  ])("%s by a rule for %j: %s", (role, values, expected) => {
    expect(sees(role, values)).toBe(expected);
  });

  it("users are no roles: a/% is a name like any other", () => {
    expect(allows({ permissive: false, view_tasks: [rule(ANY, some("a/%"))] }, "p", "a/b")).toBe(false);
  });
});

it("whoever is allowed everything is refused nothing", () => {
  const NAMES = ["a", "b"];
  const entity = fc.oneof(
    fc.constant({ type: "ANY" as const }),
    fc.constant({ type: "NONE" as const }),
    fc.subarray(NAMES).map((values) => ({ type: "SOME" as const, values: new Set(values) })),
  );
  const rules: fc.Arbitrary<Rule[]> = fc.array(fc.record({ principals: entity, objects: entity }), { maxLength: 5 });
  const subject = fc.constantFrom("a", "b", undefined);
  fc.assert(
    fc.property(rules, fc.boolean(), subject, (all, permissive, who) => {
      const objects = [...NAMES, "another", undefined];
      const decided = objects.map((object) => decide(all, permissive, { subject: who, object }));
      // It may say no where every object happens to be allowed by rules that hide others; never yes where one is refused.
      if (allowsEverything(all, permissive, who)) expect(decided).not.toContain(false);
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  [true, [], true],
  [false, [], false],
  [false, [rule(some("p"), ANY)], true],
  [false, [rule(some("q"), NONE), rule(some("p"), ANY)], true],
  [true, [rule(some("p"), NONE)], false],
  [true, [rule(some("p"), some("u"))], true],
  [false, [rule(some("p"), some("u"))], false],
  [true, [rule(NONE, some("root"))], false],
])("permissive %s, rules %j: everything is allowed: %s", (permissive, rules, expected) => {
  const approver = approverOf(parseAcls({ permissive, view_tasks: rules }), { kind: "principal", name: "p" });
  expect(approver?.allowsEverything("view_tasks")).toBe(expected);
});

describe("containers inside others", () => {
  const executor = { info: { command: { user: "parent" } }, framework: { user: "f" } } as never;
  const id = { value: "child", parent: { value: "root" } } as never;
  const may = (
    file: object,
    action: "launch_nested_containers" | "kill_nested_containers",
    more: object = {},
  ): boolean =>
    approverOf(parseAcls({ permissive: false, ...file }), { kind: "principal", name: "p" })?.allowsOn(action, {
      id,
      executor,
      ...more,
    }) ?? true;
  const under = (users: object) => ({ launch_nested_containers_under_parent_with_user: [rule(ANY, users)] });
  const as = (users: object) => ({ launch_nested_containers_as_user: [rule(ANY, users)] });

  it("a launch is asked for the user above and the one that it names", () => {
    expect(may({ ...under(ANY), ...as(ANY) }, "launch_nested_containers")).toBe(true);
    expect(may({ ...under(ANY) }, "launch_nested_containers")).toBe(false);
    expect(may({ ...as(ANY) }, "launch_nested_containers")).toBe(false);
    expect(may({ ...under(ANY), ...as(ANY) }, "kill_nested_containers")).toBe(false);
  });

  it("an executor is allowed what is below its own container, whatever the file says, and nothing else", () => {
    const own = (cid: string, acls: object | undefined) =>
      approverOf(acls && parseAcls(acls), {
        kind: "executor",
        claims: { frameworkId: "F", executorId: "E", containerId: cid },
      });
    for (const acls of [undefined, { permissive: true }, { permissive: false }]) {
      const approver = own("root", acls);
      for (const action of [
        "wait_nested_containers",
        "launch_nested_containers",
        "attach_containers_output",
      ] as const) {
        expect(approver?.allowsOn(action, { id, executor })).toBe(true);
        expect(own("child", acls)?.allowsOn(action, { id, executor })).toBe(false);
      }
      expect(approver?.allowsOn("attach_containers_input", { id, executor })).toBe(false);
      const as = (user: string, own = "parent") =>
        approver?.allowsOn("launch_nested_container_sessions", {
          ...{ id, command: create(CommandInfoSchema, { user }) },
          executor: { info: { command: { user: own } }, framework: { user: "f" }, taskUsers: ["task"] } as never,
        });
      expect(["", "parent", "task", "root", "f"].map((user) => as(user))).toEqual([true, true, true, false, false]);
      expect(as("other", "root")).toBe(true);
      const inDocker = (user: string) =>
        approver?.allowsOn("launch_nested_container_sessions", {
          ...{ id, command: create(CommandInfoSchema, { user }) },
          executor: {
            info: { command: { user: "root" }, container: { type: ContainerInfo_Type.DOCKER } },
            ...{ framework: { user: "root" }, taskUsers: ["root"] },
          } as never,
        });
      expect([inDocker(""), inDocker("root"), inDocker("other")]).toEqual([true, false, false]);
      expect(approver?.allows("view_tasks", "parent")).toBe(false);
      expect(approver?.allows("view_flags")).toBe(false);
      expect(approver?.allowsEverything("view_tasks")).toBe(false);
      expect(approver?.allowsAlone("launch_standalone_containers")).toBe(false);
    }
  });
});
