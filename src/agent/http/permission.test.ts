import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { CommandInfoSchema, ContainerIDSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseAcls } from "../authorization/acls.ts";
import { Authorizer } from "../authorization/authorizer.ts";
import type { Subject } from "../authorization/subject.ts";
import { chainText } from "../model/nested.ts";
import type { Session } from "../model/session.ts";
import { AttachedFiles } from "./files/attached.ts";
import { callAsks } from "./operator/asks.ts";
import { Permitting } from "./permission.ts";

const OPEN = "alone.session";
const session = {} as Session;
const view = agentView({ tasks: 0 });
const containers = {
  ...view.containers,
  sessions: () => ({
    of: (chain: readonly [string, ...string[]]) => (chainText(chain) === OPEN ? session : undefined),
    open: () => Promise.reject(new Error("nobody opens one here")),
  }),
};

/** Whether the calls that attach are refused for a session, to somebody who comes so. */
async function refused(rules: object, name: string, subject?: Subject): Promise<(number | undefined)[]> {
  const authorizer = new Authorizer(parseAcls(rules));
  const access = { admit: async () => ({ subject }) };
  const permitting = new Permitting({
    ...{ access, authorizer, refusals: undefined, files: new AttachedFiles() },
    view: { ...view, containers },
  });
  const permission = await permitting.admit("readwrite", undefined, undefined);
  if ("answer" in permission) throw new Error("nobody is asked for a name here");
  const id = create(ContainerIDSchema, { value: name, parent: { value: "alone" } });
  return (["ATTACH_CONTAINER_INPUT", "ATTACH_CONTAINER_OUTPUT"] as const).map((call) => {
    const answer = permission.refusal(callAsks[call], { container: { id, command: undefined } });
    return answer?.kind === "text" ? answer.status : undefined;
  });
}

describe("a session in a container that is no executor's", () => {
  it("is attached to by nobody whom no rule lets", async () => {
    expect(await refused({ permissive: false }, "session")).toEqual([403, 403]);
  });

  it("is not that of an executor elsewhere, whatever token it shows", async () => {
    const claims = { frameworkId: "f", executorId: "e", containerId: "another" };
    expect(await refused({ permissive: true }, "session", { kind: "executor", claims })).toEqual([403, 403]);
  });

  it("is attached to by whom rules let", async () => {
    const any = [{ principals: { type: "ANY" }, users: { type: "ANY" } }];
    const rules = { permissive: false, attach_containers_input: any, attach_containers_output: any };
    expect(await refused(rules, "session")).toEqual([undefined, undefined]);
  });

  it("that is not there is left to the call, which says so", async () => {
    expect(await refused({ permissive: false }, "no-session")).toEqual([undefined, undefined]);
  });
});

it("an executor launches as the users of its tasks, and as no other", async () => {
  const large = agentView({ tasks: 1 });
  const [framework] = large.snapshot().frameworks;
  const [executor] = framework?.executors.values() ?? [];
  const [record] = executor?.tasks.values() ?? [];
  if (framework === undefined || executor === undefined || record === undefined) throw new Error("a task is missing");
  executor.info.command = create(CommandInfoSchema, { user: "executor's" });
  record.task.user = "task's";
  const claims = { frameworkId: "f", executorId: "e", containerId: executor.containerId };
  const permitting = new Permitting({
    ...{ authorizer: new Authorizer(undefined), refusals: undefined, files: new AttachedFiles() },
    access: { admit: async () => ({ subject: { kind: "executor", claims } }) },
    view: { ...large, containers: { ...large.containers, ownerOf: () => ({ framework, executor }) } },
  });
  const permission = await permitting.admit("readwrite", undefined, undefined);
  if ("answer" in permission) throw new Error("nobody is asked for a name here");
  const id = create(ContainerIDSchema, { value: "child", parent: { value: executor.containerId } });
  const isRefused = (user: string): boolean => {
    const container = { id, command: create(CommandInfoSchema, { user }) };
    return permission.refusal(callAsks.LAUNCH_NESTED_CONTAINER, { container }) !== undefined;
  };
  expect(["executor's", "task's", "root"].map(isRefused)).toEqual([false, false, true]);
});
