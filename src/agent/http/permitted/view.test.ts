import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { agentView } from "../../../../test/support/agent-view.ts";
import { OperationSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../../mesos/resources-text.ts";
import { parseAcls } from "../../authorization/acls.ts";
import { approverOf } from "../../authorization/approver.ts";
import { nodeMetrics } from "../../metrics/table.ts";
import { AttachedFiles } from "../files/attached.ts";
import type { AgentView } from "../view.ts";
import { permittedView } from "./view.ts";

const ANY = { type: "ANY" };
const allowed = (action: string, objects: string, values?: string[]) => ({
  [action]: [{ principals: ANY, [objects]: values === undefined ? ANY : { values } }],
});

/** The agent as somebody sees it whom only these rules allow something. */
function seen(rules: object, view: AgentView = agentView({ tasks: 2 }), files = new AttachedFiles()): AgentView {
  const approver = approverOf(parseAcls({ permissive: false, ...rules }), undefined);
  if (approver === undefined) throw new Error("rules make an approver");
  return permittedView(view, files, approver);
}

describe("roles", () => {
  const view = agentView({ tasks: 0 });
  const total = parseResources("cpus:1;cpus(web):2;cpus(db):3");
  const reserve = (role: string) =>
    create(OperationSchema, {
      info: { reserve: { resources: parseResources(`cpus(${role}):1`).toMessages() } },
    });
  const snapshot = () => ({
    ...view.snapshot(),
    total,
    info: { ...view.snapshot().info, resources: total.toMessages() },
    operations: [reserve("web"), reserve("db")],
  });
  const shown = (rules: object) => seen(rules, { ...view, snapshot }).snapshot();
  const rolesOf = ({ info, operations, mayShowRole }: ReturnType<typeof shown>) => ({
    agent: info.resources.map(({ role, reservations }) => reservations.at(-1)?.role ?? role),
    operations: operations.length,
    state: ["web", "db"].filter((role) => mayShowRole?.(role)),
  });

  it("that may not be seen are in no resource of the agent and no operation", () => {
    expect(rolesOf(shown(allowed("view_roles", "roles", ["web"])))).toEqual({
      agent: ["*", "web"],
      operations: 1,
      state: ["web"],
    });
    expect(rolesOf(shown({}))).toEqual({ agent: ["*"], operations: 0, state: [] });
  });

  it("that may be seen are all there", () => {
    expect(rolesOf(shown(allowed("view_roles", "roles")))).toEqual({
      agent: ["*", "web", "db"],
      operations: 2,
      state: ["web", "db"],
    });
  });
});

it("frameworks that are gone are shown to whom they were shown while they were there", () => {
  const view = agentView({ tasks: 1 });
  const { frameworks } = view.snapshot();
  const snapshot = () => ({ ...view.snapshot(), frameworks: [], completedFrameworks: frameworks });
  const completed = (users?: string[]) =>
    seen(allowed("view_frameworks", "users", users), { ...view, snapshot }).snapshot().completedFrameworks;
  expect(completed(["alice"])).toEqual([]);
  expect(completed(["root"])).toHaveLength(1);
  // Of its executors nothing, unless they may be seen too.
  expect(completed(["root"])[0]?.executors.size).toBe(0);
});

describe("what the log says", () => {
  const view: AgentView = {
    ...agentView({ tasks: 0 }),
    troubles: () => new Map([["checkpoints", "cannot write /work/…/frameworks/F"]]),
    engines: async () => [{ name: "docker", version: "27", trouble: "container alice-1 hangs" }],
  };
  it("is said elsewhere only to those who may read it", async () => {
    const open = seen(allowed("access_mesos_logs", "logs"), view);
    expect(open.troubles().get("checkpoints")).toContain("frameworks/F");
    expect((await open.engines())[0]?.trouble).toContain("alice");
    const closed = seen({}, view);
    // That something is wrong is seen.
    expect([...closed.troubles()]).toEqual([["checkpoints", "the agent's log says what"]]);
    expect(await closed.engines()).toEqual([{ name: "docker", version: "27", trouble: "the agent's log says what" }]);
  });
});

describe("the forwarder", () => {
  const files = new AttachedFiles();
  for (const user of ["alice", "bob"]) files.attach(`/work/${user}`, `/work/${user}`, { kind: "sandbox", user });
  const file = (source: string, lagBytes: number) => ({ source, lagBytes, lagSeconds: lagBytes / 10 });
  const forwarder = {
    events: 17,
    lag: { bytes: 60, seconds: 3 },
    servers: [],
    files: [file("/work/alice/stdout", 10), file("/work/bob/stdout", 20), file("/var/log/syslog", 30)],
  };
  const view: AgentView = { ...agentView({ tasks: 0 }), neighbours: async () => ({ services: [], forwarder }) };
  const facts = async (rules: object) => (await seen(rules, view, files).neighbours()).forwarder;

  it("tells of files that may be read, and adds up those", async () => {
    expect(await facts(allowed("access_sandboxes", "users", ["alice"]))).toEqual({
      events: undefined,
      lag: { bytes: 10, seconds: 1 },
      servers: [],
      files: [forwarder.files[0]],
    });
    expect(await facts({})).toMatchObject({ files: [], lag: { bytes: 0, seconds: 0 } });
    const all = { ...allowed("access_sandboxes", "users"), ...allowed("access_mesos_logs", "logs") };
    expect(await facts(all)).toBe(forwarder);
  });
});

it("metrics are whole only for those who may see all work, of each kind", async () => {
  const kinds = ["view_frameworks", "view_executors", "view_tasks", "view_containers"];
  const all = Object.assign({}, ...kinds.map((kind) => allowed(kind, "users"))) as Record<string, object>;
  const metrics = async (rules: object) =>
    await seen(rules, {
      ...agentView({ tasks: 2 }),
      metrics: async () =>
        new Map([
          ["slave/tasks_failed", 7],
          ["slave/uptime_secs", 1],
          ["slave/tasks_running", 2],
        ]),
    }).metrics(undefined);
  expect((await metrics(all)).get("slave/tasks_failed")).toBe(7);
  for (const kind of kinds) {
    const { [kind]: _left, ...others } = all;
    const values = await metrics(others);
    expect([kind, values.get("slave/tasks_failed"), values.get("slave/uptime_secs")]).toEqual([kind, undefined, 1]);
  }
  expect((await metrics({})).get("slave/tasks_running")).toBe(0);
  // What is counted of work is not among them by mistake.
  for (const name of nodeMetrics) expect(name).not.toMatch(/tasks|executors|frameworks|_used|_percent|updates|gc\//);
});

it("containers are those of executors that may be seen, and what is in them", async () => {
  const view = agentView({ tasks: 1 });
  const [framework] = view.snapshot().frameworks;
  const executor = [...(framework?.executors.values() ?? [])][0];
  if (framework === undefined || executor === undefined) throw new Error("there is one");
  const usage = { statistics: undefined, status: undefined };
  const containers: AgentView["containers"] = {
    ...view.containers,
    ownerOf: ([root]) => (root === executor.containerId ? { framework, executor } : undefined),
    usage: async () => [
      { chain: [executor.containerId, "child"], ...usage },
      { chain: ["alone"], ...usage },
      { chain: ["alone", "child"], ...usage },
    ],
  };
  const shown = async (rules: object) => {
    const permitted = seen(rules, { ...view, containers });
    const own = await permitted.usage();
    const others = await permitted.containers.usage({ nested: true, standalone: true });
    return [own.length, ...others.map(({ chain }) => chain.join("."))];
  };
  const user = framework.info.user;
  expect(await shown({})).toEqual([0]);
  expect(await shown(allowed("view_containers", "users", [user]))).toEqual([1, `${executor.containerId}.child`]);
  expect(await shown(allowed("view_containers", "users", ["another"]))).toEqual([0]);
  expect(await shown(allowed("view_standalone_containers", "users"))).toEqual([0, "alone", "alone.child"]);
});
