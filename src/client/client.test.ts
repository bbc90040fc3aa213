import { describe, expect, it } from "vitest";
import { bytesOf, sandboxOf } from "./files.ts";
import { masterAddress } from "./master-address.ts";
import { redirectedTo } from "./peer.ts";

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
    const group = { ...executor("default", ["t4"]), type: "DEFAULT" };
    expect(sandboxOf({ frameworks: [{ id: "f", executors: [group] }] }, "f", "t4")).toBe("/w/default/tasks/t4");
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

it.each([
  ["http://127.0.0.1:5050", "127.0.0.1:5050"],
  ["http://master.example/", "master.example:80"],
  ["127.0.0.1:5050", "127.0.0.1:5050"],
  ["zk://a:2181/mesos", "zk://a:2181/mesos"],
  ["https://a:5050", "https://a:5050"],
])("the master %s is at %s", (given, address) => {
  expect(masterAddress(given)).toBe(address);
});
