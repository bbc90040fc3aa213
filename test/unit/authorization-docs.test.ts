import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { parseAcls } from "../../src/agent/authorization/acls.ts";
import { type ActionName, type Ask, AUTHORIZABLE_PATHS, actions } from "../../src/agent/authorization/actions.ts";
import { approverOf } from "../../src/agent/authorization/approver.ts";
import { parseHttpCredentials } from "../../src/agent/authorization/credentials.ts";
import { type Endpoint, endpoints } from "../../src/agent/http/endpoints.ts";
import { callAsks } from "../../src/agent/http/operator/asks.ts";
import { CallSchema } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../docs/authorization.md"), "utf8");
const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text = ""]) => JSON.parse(text) as object);
const [everybodyReads, apart, named] = examples.slice(0, 3).map(parseAcls);
const passwords = examples[3];

const may = (file: typeof apart, name: string | undefined) =>
  approverOf(file, name === undefined ? undefined : { kind: "principal", name });

it("the three files do what the page says of them", () => {
  const dev = may(apart, "dev");
  expect([dev?.allows("view_tasks", "web"), dev?.allows("view_tasks", "root")]).toEqual([true, false]);
  expect([dev?.allows("access_sandboxes", "batch"), dev?.allows("view_flags")]).toEqual([true, false]);
  expect([may(apart, "ops")?.allows("view_flags"), may(apart, undefined)?.allows("view_tasks", "web")]).toEqual([
    true,
    false,
  ]);
  const reader = may(everybodyReads, "anyone");
  expect([reader?.allowsEverything("view_tasks"), reader?.allows("access_sandboxes", "web")]).toEqual([true, false]);
  for (const [name, { by }] of Object.entries(actions)) {
    if (by === "master" || name === "run_tasks") continue;
    expect([
      name,
      may(named, "ops")?.allows(name as never, "x"),
      may(named, undefined)?.allows(name as never, "x"),
    ]).toEqual([name, true, false]);
  }
  for (const file of [everybodyReads, apart, named])
    expect(may(file, "framework")?.allows("run_tasks", "x")).toBe(true);
});

it("so does the file of passwords", () => {
  expect([...parseHttpCredentials(JSON.stringify(passwords)).proofs.keys()]).toEqual(["ops", "tool"]);
});

const asked = (ask: Ask): string[] => {
  if (ask.kind === "refuses") return [ask.action];
  if (ask.kind === "shows") return [...ask.actions];
  if (ask.kind === "file") return ["access_sandboxes", "access_mesos_logs"];
  if (ask.kind === "owned") return [ask.action, ask.alone];
  if (ask.kind !== "container") return [];
  const nested = ask.nested.startsWith("launch_") ? ["_under_parent_with_user", "_as_user"] : [""];
  return [...nested.map((end) => `${ask.nested}${end}`), ...(ask.alone === undefined ? [] : [ask.alone])];
};

it("every endpoint asks something, or says why not; every action of the agent is asked somewhere", () => {
  const rows = (endpoints as readonly Endpoint[]).flatMap(({ path, asks }) => {
    expect(asks.length, path).toBeGreaterThan(0);
    return asks;
  });
  const all = new Set([...rows, ...Object.values(callAsks)].flatMap(asked));
  for (const ask of [...rows, ...Object.values(callAsks)]) if (ask.kind === "nothing") expect(ask.why).not.toBe("");
  // Of frameworks, when they launch; of the node, by its command line.
  const elsewhere: ActionName[] = ["run_tasks", "drain_agents"];
  const own = Object.entries(actions).flatMap(([name, { by }]) => (by === "agent" ? [name] : []));
  expect([...all, ...elsewhere].sort()).toEqual(own.sort());
});

it("a call that is asked by its container has one in the member of its name", () => {
  const members = new Map(CallSchema.fields.map((field) => [field.name, field.message?.field]));
  for (const [name, ask] of Object.entries(callAsks))
    if (ask.kind === "container" || ask.kind === "owned")
      expect(members.get(name.toLowerCase())?.["containerId"], name).toBeDefined();
});

it("every path that get_endpoints can name is asked by one endpoint, and no other asks", () => {
  const byPath = (endpoints as readonly Endpoint[]).flatMap(({ path, asks }) =>
    asks.some((ask) => ask.kind === "refuses" && ask.action === "get_endpoints") ? [path.replace("/slave(1)", "")] : [],
  );
  // Mesos has it, this agent does not.
  expect([...byPath, "/containerizer/debug"].sort()).toEqual([...AUTHORIZABLE_PATHS].sort());
});
