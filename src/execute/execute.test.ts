import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { UserError } from "../base/errors.ts";
import { type Offer, OfferSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { formatResources, parseResources } from "../mesos/resources-text.ts";
import { masterAddress } from "./flags.ts";
import { bytesOf, sandboxOf } from "./sandbox.ts";
import { redirectedTo } from "./scheduler-client.ts";
import { checkJob, type Job, takeFrom, taskFor } from "./task.ts";

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

it.each([
  ["http://127.0.0.1:5050", "127.0.0.1:5050"],
  ["http://master.example/", "master.example:80"],
  ["127.0.0.1:5050", "127.0.0.1:5050"],
  ["zk://a:2181/mesos", "zk://a:2181/mesos"],
  ["https://a:5050", "https://a:5050"],
])("the master %s is at %s", (given, address) => {
  expect(masterAddress(given)).toBe(address);
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

describe("an agent's answers", () => {
  const executor = (id: string, tasks: string[]) => ({
    id,
    directory: `/w/${id}`,
    tasks: tasks.map((task) => ({ id: task })),
  });

  it("name the sandbox by task, by executor, and after the end", () => {
    const state = {
      frameworks: [{ id: "f", executors: [executor("t1", []), executor("custom", ["t2"])] }],
      completed_frameworks: [{ id: "g", completed_executors: [executor("t3", [])] }],
    };
    expect(sandboxOf(state, "f", "t1")).toBe("/w/t1");
    expect(sandboxOf(state, "f", "t2")).toBe("/w/custom");
    expect(sandboxOf(state, "g", "t3")).toBe("/w/t3");
    expect(sandboxOf(state, "f", "t3")).toBeUndefined();
    expect(() => sandboxOf({ frameworks: 3 }, "f", "t")).toThrow();
  });

  it("hold raw bytes", () => {
    const raw = Buffer.from([0x61, 0xff, 0xc3, 0xb6, 0x0a]);
    const body = Buffer.concat([Buffer.from('{"data":"'), raw.subarray(0, 4), Buffer.from('\\n","offset":0}')]);
    expect(bytesOf(body)).toEqual(raw);
    expect(bytesOf(Buffer.from('{"data":"\\u20ac","offset":0}')).toString()).toBe("€");
    expect(() => bytesOf(Buffer.from("[]"))).toThrow();
  });
});

describe("redirects", () => {
  it.each([
    ["//10.0.0.1:5050/master/api/v1/scheduler", "10.0.0.1:5050"],
    ["http://leader:5051", "leader:5051"],
    ["/elsewhere", undefined],
    [undefined, undefined],
  ])("%s", (location, host) => {
    expect(redirectedTo(location)).toBe(host);
  });
});
