import { describe, expect, test } from "vitest";
import { violation, violations } from "../../tools/rooms.ts";

describe("the directions of imports", () => {
  test("every import of src/ is allowed", () => {
    expect(violations()).toEqual([]);
  });

  test.each([
    ["agent/agent.ts", "agent/tasks/frameworks.ts"],
    ["agent/tasks/launch.ts", "agent/model/records.ts"],
    ["agent/tasks/drivers/driver.ts", "agent/tasks/channel.ts"],
    ["agent/tasks/frameworks.ts", "libprocess/upid.ts"],
    ["main/mesos-slave.ts", "agent/node.ts"],
  ])("%s may import %s", (from, to) => {
    expect(violation(from, to)).toBeUndefined();
  });

  test.each([
    ["agent/model/records.ts", "agent/tasks/frameworks.ts", "above"],
    ["agent/fetcher/fetcher.ts", "agent/sandbox/sandbox.ts", "beside"],
    ["agent/tasks/frameworks.ts", "agent/agent.ts", "above"],
    ["agent/tasks/frameworks.ts", "agent/master/inbox.ts", "above"],
    ["agent/attic/x.ts", "agent/model/records.ts", "has no floor"],
    ["agent/tasks/x.ts", "agent/attic/records.ts", "has no floor"],
    ["base/clock.ts", "mesos/ids.ts", "base may not import mesos"],
    ["agent/agent.ts", "forwarder/pipeline.ts", "agent may not import forwarder"],
    ["agent/agent.ts", "local-master/master.ts", "agent may not import local-master"],
    ["garden/x.ts", "base/clock.ts", "not in tools/rooms.ts"],
    ["main/x.ts", "../test/support/y.ts", "outside src/"],
  ])("%s may not import %s", (from, to, why) => {
    expect(violation(from, to)).toContain(why);
  });
});
