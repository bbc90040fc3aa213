import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { UserError } from "../base/errors.ts";
import { ExecutorInfo_Type, type Offer, OfferSchema, type Resource } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { formatResources, parseResources } from "../mesos/resources-text.ts";
import { groupWork, parseTask, parseTaskGroup, taskWork } from "./group.ts";
import { checkJob, type Job, takeFrom, taskFor } from "./task.ts";
import { refuseOneTaskFlags } from "./work.ts";

const job: Job = {
  name: "n",
  command: "echo  'a b'",
  shell: true,
  resources: parseResources("cpus:2;ports:[31000-31001]"),
  environment: { A: "1" },
  dockerImage: undefined,
  containerizer: "docker",
  role: "web",
  user: "u",
};

const offer = (resources: string): Offer =>
  create(OfferSchema, {
    id: { value: "o" },
    frameworkId: { value: "f" },
    agentId: { value: "a" },
    hostname: "h",
    resources: parseResources(resources).toMessages("pre"),
  });

describe("taking resources out of an offer", () => {
  const take = (offered: string, needed: string): string | undefined => {
    const taken = takeFrom(parseResources(offered).toMessages("pre"), parseResources(needed));
    return taken === undefined ? undefined : formatResources(Resources.of(taken), "0.24");
  };

  it.each([
    ["cpus:4;mem:100", "cpus:1;mem:100", "cpus(*):1; mem(*):100"],
    ["cpus:4;cpus(web):1", "cpus:3", "cpus(web):1; cpus(*):2"],
    ["cpus:4;cpus(web):1", "cpus:0.5", "cpus(web):0.5"],
    ["ports:[1-10];ports(web):[20-30]", "ports:[5-6, 25-25]", "ports(web):[25-25]; ports(*):[5-6]"],
    ["cpus:4", "cpus:4.001", undefined],
    ["cpus:1;cpus(web):1", "cpus:2.5", undefined],
    ["cpus:4", "mem:1", undefined],
    ["ports:[1-10]", "ports:[10-11]", undefined],
  ])("%s for %s", (offered, needed, taken) => {
    expect(take(offered, needed)).toBe(taken);
  });
});

describe("the task", () => {
  const fitting = offer("cpus:4;ports:[31000-31010]");

  it("runs the command by a shell, or as words", () => {
    expect(taskFor(job, "t", fitting)?.command).toMatchObject({ shell: true, value: "echo  'a b'", user: "u" });
    expect(taskFor({ ...job, shell: false }, "t", fitting)?.command).toMatchObject({
      shell: false,
      value: "echo",
      arguments: ["echo", "'a", "b'"],
    });
  });

  it("runs an image as it was made when there is no command", () => {
    const task = taskFor({ ...job, command: undefined, dockerImage: "busybox" }, "t", fitting);
    expect(task?.command?.shell).toBe(false);
    expect(Object.hasOwn(task?.command ?? {}, "value")).toBe(false);
    expect(task?.container?.docker?.image).toBe("busybox");
    const mesos = taskFor({ ...job, dockerImage: "busybox", containerizer: "mesos" }, "t", fitting);
    expect(mesos?.container?.mesos?.image?.docker?.name).toBe("busybox");
  });

  it("does not fit everywhere", () => {
    expect(taskFor(job, "t", offer("cpus:1"))).toBeUndefined();
  });

  it.each<Partial<Job>>([{ name: "a/b" }, { command: undefined }, { resources: Resources.empty }])(
    "is refused with %j",
    (change) => {
      expect(() => checkJob({ ...job, ...change })).toThrow(UserError);
    },
  );
});

describe("a group", () => {
  const member = (id: string, more: object = {}) => ({
    name: id,
    task_id: { value: id },
    resources: [{ name: "cpus", type: "SCALAR", scalar: { value: 1 } }],
    command: { value: "true" },
    ...more,
  });
  const group = parseTaskGroup({ tasks: [member("a"), member("b", { agent_id: { value: "" } })] });
  const work = groupWork(group, { role: "*", user: "u" });

  it("needs what its tasks and its executor need", () => {
    expect(formatResources(work.demand, "0.24")).toBe("cpus(*):2.1; mem(*):32");
    expect(work.operation(offer("cpus:2;mem:64"), "f")).toBeUndefined();
    const launched = work.operation(offer("cpus:2.1;mem:64;disk:100"), "f")?.launchGroup;
    expect(launched?.executor).toMatchObject({
      type: ExecutorInfo_Type.DEFAULT,
      executorId: { value: "default-executor" },
      frameworkId: { value: "f" },
    });
    const text = (resources: readonly Resource[] = []) => formatResources(Resources.of(resources), "0.24");
    expect(text(launched?.executor?.resources)).toBe("cpus(*):0.1; mem(*):32; disk(*):32");
    expect(launched?.taskGroup?.tasks.map(({ agentId, resources }) => [agentId?.value, text(resources)])).toEqual([
      ["a", "cpus(*):1"],
      ["a", "cpus(*):1"],
    ]);
  });

  it.each([
    [{ tasks: [] }, "no 'tasks'"],
    [{ tasks: [member("a"), member("a")] }, "two tasks have the id 'a'"],
    [{ tasks: [member("a/b")] }, "must not contain '/'"],
    [{ tasks: [member("a", { resources: [] })] }, "no resources"],
    [{ tasks: [member("a", { command: null })] }, "no command"],
    [{ tasks: [member("a", { executor: { executor_id: { value: "e" } } })] }, "has an executor"],
    [{ tasks: [{ name: "a" }] }, "required"],
    [{ tasks: ["a"] }, "object"],
  ])("that is %j is refused", (value, why) => {
    expect(() => parseTaskGroup(value)).toThrow(why);
  });

  it("has no flags of one task beside it", () => {
    expect(() => refuseOneTaskFlags(new Set(["task_group", "command", "name"]))).toThrow("--name, --command");
    expect(() => refuseOneTaskFlags(new Set(["task", "env"]))).toThrow("--env and --task do not go together");
    expect(() => refuseOneTaskFlags(new Set(["task", "task_group"]))).toThrow("--task and --task_group");
    expect(() => refuseOneTaskFlags(new Set(["task_group", "role"]))).not.toThrow();
    expect(() => refuseOneTaskFlags(new Set(["name", "command"]))).not.toThrow();
  });

  it("or a task may be given as a whole, with an executor of its own", () => {
    const executor = {
      executor_id: { value: "e" },
      command: { value: "run" },
      resources: [{ name: "mem", type: "SCALAR", scalar: { value: 32 } }],
    };
    const whose = { role: "*", user: "u" };
    const custom = taskWork(parseTask(member("a", { command: null, executor })), whose);
    expect(formatResources(custom.demand, "0.24")).toBe("cpus(*):1; mem(*):32");
    expect(custom.operation(offer("cpus:1"), "f")).toBeUndefined();
    expect(custom.operation(offer("cpus:1;mem:64"), "f")?.launch?.taskInfos).toMatchObject([
      { taskId: { value: "a" }, agentId: { value: "a" }, executor: { frameworkId: { value: "f" } } },
    ]);
    expect(taskWork(parseTask(member("b")), whose).operation(offer("cpus:1"), "f")?.launch?.taskInfos).toHaveLength(1);
    expect(() => parseTask(member("a", { command: null }))).toThrow("either a command or an executor");
    expect(() => parseTask(member("a", { executor }))).toThrow("either a command or an executor");
    expect(() => parseTask([])).toThrow("required");
  });
});
