import { expect, it } from "vitest";
import type { UserError } from "../../base/errors.ts";
import { parseAcls } from "./acls.ts";
import { AUTHORIZABLE_PATHS, actions } from "./actions.ts";

const ANY = { type: "ANY" };

it("takes every action of Mesos 1.11, with its own objects and no others'", () => {
  // acls.proto has 54 lists: one each, and `permissive` beside them.
  expect(Object.keys(actions)).toHaveLength(54);
  for (const [name, { objects }] of Object.entries(actions)) {
    expect(parseAcls({ [name]: [{ principals: ANY, [objects]: ANY }] }).rules.get(name as never)).toHaveLength(1);
    const other = objects === "users" ? "roles" : "users";
    expect(() => parseAcls({ [name]: [{ principals: ANY, [other]: ANY }] }), name).toThrow("unknown member");
  }
});

it("is permissive unless it says otherwise", () => {
  expect(parseAcls({}).permissive).toBe(true);
  expect(parseAcls({ permissive: false }).permissive).toBe(false);
});

it("takes paths that are decided by path", () => {
  const values = [...AUTHORIZABLE_PATHS];
  expect(parseAcls({ get_endpoints: [{ principals: ANY, paths: { values } }] }).rules.size).toBe(1);
});

it("prints as it was given", () => {
  const file = { permissive: false, view_flags: [{ principals: { values: ["a"] }, flags: { type: "NONE" } }] };
  expect(JSON.stringify(parseAcls(file))).toBe(JSON.stringify(file));
});

const tasks = (...rules: unknown[]) => ({ view_tasks: rules });
it.each([
  [[], "is not a JSON object"],
  ["ANY", "is not a JSON object"],
  [{ permissive: "no" }, "'permissive' is not a boolean"],
  [{ permisive: false }, "there is no action 'permisive'"],
  [{ view_task: [] }, "did you mean 'view_tasks'?"],
  [{ constructor: [] }, "there is no action 'constructor'"],
  [{ view_tasks: {} }, "'view_tasks' is not a list"],
  [tasks(null), "rule 1 of 'view_tasks' is not a JSON object"],
  [tasks({ principals: ANY, users: ANY }, { users: ANY }), "rule 2 of 'view_tasks' has no 'principals'"],
  [tasks({ principals: ANY }), "has no 'users'"],
  [tasks({ principals: ANY, user: ANY }), "did you mean 'users'?"],
  [tasks({ principals: ANY, users: ANY, roles: ANY }), "unknown member 'roles'"],
  [tasks({ principals: ["a"], users: ANY }), "'principals' of rule 1 of 'view_tasks' is not a JSON object"],
  [tasks({ principals: ANY, users: {} }), "neither a type nor values"],
  [tasks({ principals: ANY, users: { type: "SOME" } }), "neither a type nor values"],
  [tasks({ principals: ANY, users: { type: "any" } }), 'is "any"'],
  [tasks({ principals: ANY, users: { values: "root" } }), "are not a list of strings"],
  [tasks({ principals: ANY, users: { values: [0] } }), "are not a list of strings"],
  [tasks({ principals: ANY, users: { value: ["root"] } }), "did you mean 'values'?"],
  [{ view_flags: [{ principals: ANY, flags: { values: ["x"] } }] }, "only ANY and NONE mean something here"],
  [{ set_log_level: [{ principals: ANY, level: { values: ["1"] } }] }, "only ANY and NONE"],
  [{ get_endpoints: [{ principals: ANY, paths: { values: ["/state"] } }] }, "names '/state', which is not decided by"],
  [{ get_endpoints: [{ principals: ANY, paths: { values: ["/container"] } }] }, "did you mean '/containers'?"],
])("%j is refused: %s", (file, message) => {
  try {
    parseAcls(file);
    expect.unreachable();
  } catch (error) {
    expect((error as UserError).text).toContain(message);
    expect((error as UserError).fix).toBeDefined();
  }
});
