import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { parseAttributes } from "../../mesos/attributes.ts";
import { type AgentInfo, AgentInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../mesos/resources-text.ts";
import { accepts, differences, explainDifferences, waysOut } from "./compatibility.ts";

function agentInfo(
  resources: string,
  attributes = "",
  more: Omit<MessageInitShape<typeof AgentInfoSchema>, "$typeName" | "$unknown"> = {},
): AgentInfo {
  return create(AgentInfoSchema, {
    hostname: "h",
    port: 5051,
    resources: parseResources(resources).toMessages(),
    attributes: parseAttributes(attributes),
    ...more,
  });
}
const domain = (zone: string) => ({ domain: { faultDomain: { region: { name: "r" }, zone: { name: zone } } } });

describe("a changed agent (mesos-agent-behaviour §4.4)", () => {
  const all = "cpus:4;mem:1024;ports:[31000-32000]";
  it.each([
    ["nothing", agentInfo(all, "rack:a"), agentInfo(all, "rack:a"), true, true],
    [
      "only the order",
      agentInfo(all, "rack:a;zone:1"),
      agentInfo("ports:[31000-32000];mem:1024;cpus:4", "zone:1;rack:a"),
      true,
      true,
    ],
    ["ranges written apart", agentInfo(all), agentInfo("cpus:4;mem:1024;ports:[31000-31500,31501-32000]"), true, true],
    ["the host name", agentInfo(all), agentInfo(all, "", { hostname: "i" }), false, false],
    ["the port", agentInfo(all), agentInfo(all, "", { port: 5052 }), false, false],
    ["more cpus", agentInfo(all), agentInfo("cpus:5;mem:1024;ports:[31000-32000]"), false, true],
    ["fewer cpus", agentInfo(all), agentInfo("cpus:3;mem:1024;ports:[31000-32000]"), false, false],
    ["more ports", agentInfo(all), agentInfo("cpus:4;mem:1024;ports:[30000-32000]"), false, true],
    ["fewer ports", agentInfo(all), agentInfo("cpus:4;mem:1024;ports:[31001-32000]"), false, false],
    ["a new kind of resource", agentInfo(all), agentInfo(`${all};gpus:1`), false, true],
    ["one kind less", agentInfo(all), agentInfo("cpus:4;mem:1024"), false, false],
    ["another role", agentInfo(all), agentInfo("cpus(role):4;mem:1024;ports:[31000-32000]"), false, false],
    ["a new attribute", agentInfo(all, "rack:a"), agentInfo(all, "rack:a;zone:1"), false, true],
    ["an attribute less", agentInfo(all, "rack:a;zone:1"), agentInfo(all, "rack:a"), false, false],
    ["another value of an attribute", agentInfo(all, "rack:a"), agentInfo(all, "rack:b"), false, false],
    ["wider ranges of an attribute", agentInfo(all, "ids:[1-5]"), agentInfo(all, "ids:[0-9]"), false, true],
    [
      "ranges of an attribute that are wider at one end",
      agentInfo(all, "ids:[1-5]"),
      agentInfo(all, "ids:[1-9]"),
      false,
      true,
    ],
    ["and at the other", agentInfo(all, "ids:[1-5]"), agentInfo(all, "ids:[0-5]"), false, true],
    ["ranges of which one is moved", agentInfo(all, "ids:[1-5,8-9]"), agentInfo(all, "ids:[1-5,7-8]"), false, false],
    ["narrower ranges of an attribute", agentInfo(all, "ids:[1-5]"), agentInfo(all, "ids:[1-4]"), false, false],
    ["a new domain", agentInfo(all), agentInfo(all, "", domain("1")), false, true],
    ["another domain", agentInfo(all, "", domain("1")), agentInfo(all, "", domain("2")), false, false],
    ["no domain any more", agentInfo(all, "", domain("1")), agentInfo(all), false, false],
    ["more cpus, fewer ports", agentInfo(all), agentInfo("cpus:5;mem:1024;ports:[31001-32000]"), false, false],
  ])("%s", (_what, before, now, equal, additive) => {
    const found = differences(before, now);
    expect(accepts("equal", found)).toBe(equal);
    expect(accepts("additive", found)).toBe(additive);
  });

  it("is explained by what was and what is", () => {
    const text = explainDifferences(
      differences(agentInfo("cpus:4", "rack:a"), agentInfo("cpus:2", "rack:b", { port: 1 })),
    );
    expect(text.split("\n")).toEqual([
      "  port: was 5051, is 1",
      expect.stringMatching(/resources: was cpus.*:4, is cpus.*:2/),
      "  attributes: was rack:a, is rack:b",
    ]);
  });

  it("is told every way out that works, with the old values where they can be typed", () => {
    const moved = waysOut(differences(agentInfo("cpus:4"), agentInfo("cpus:2", "", { port: 1 })), "equal", "/w/latest");
    expect(moved.split("\n")).toEqual([
      "start with the old settings: --port=5051, --resources as it was",
      "  or start another node beside the old one, with a --work_dir of its own",
      "  or give up the old id and its tasks, and start again after",
      "    rm -f /w/latest",
    ]);
    const grown = differences(agentInfo("cpus:4"), agentInfo("cpus:8"));
    expect(waysOut(grown, "equal", "/w/latest")).toContain("--reconfiguration_policy=additive");
  });
});
