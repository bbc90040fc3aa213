import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Call_LaunchContainerSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { type ContainerID, ContainerIDSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { fromJson } from "../../../mesos/json.ts";
import { validChain, validLaunch } from "./validate.ts";

const id = (...chain: readonly string[]): ContainerID =>
  chain
    .slice(1)
    .reduce(
      (parent, value) => create(ContainerIDSchema, { value, parent }),
      create(ContainerIDSchema, { value: chain[0] ?? "" }),
    );
const idJson = (...chain: readonly string[]): object => ({
  value: chain.at(-1),
  ...(chain.length > 1 && { parent: idJson(...chain.slice(0, -1)) }),
});
/** As a client sends it. */
const launch = (...[chain, more]: [string[], object]) =>
  validLaunch(fromJson(Call_LaunchContainerSchema, { container_id: idJson(...chain), ...more } as never));
const cpus = { name: "cpus", type: "SCALAR", scalar: { value: 1 } };
const container = (share_cgroups?: boolean) => ({
  container: { type: "MESOS", linux_info: { ...(share_cgroups !== undefined && { share_cgroups }) } },
});

describe("container ids", () => {
  it.each([
    [[""], "must not be empty"],
    [["a/b"], "must not contain '/'"],
    [[".."], "must not be '..'"],
    [["a.b"], "contains invalid characters"],
    [["a b"], "contains invalid characters"],
    [["x".repeat(243)], "exceeds the maximum length (242)"],
    [["a.b", "child"], "'ContainerID.parent' is invalid"],
    [["a", "b.c", "d"], "'ContainerID.parent' is invalid"],
  ])("%j", (chain, why) => {
    expect(() => validChain("wait_container", id(...chain), false)).toThrow(why);
  });

  it("are chains of any depth", () => {
    expect(validChain("wait_container", id("a", "b", "c", "d", "e"), true)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("of the calls for nested containers have a parent", () => {
    expect(() => validChain("kill_nested_container", id("a"), true)).toThrow(
      "Expecting 'kill_nested_container.container_id.parent' to be present",
    );
    expect(() => validChain("kill_container", undefined, false)).toThrow("'kill_container.container_id' to be present");
  });
});

describe("a launch", () => {
  it.each<[string, string[], object, string]>([
    ["reserved", ["a"], { resources: [{ ...cpus, role: "r" }] }, "must be unreserved"],
    ["revocable", ["a"], { resources: [{ ...cpus, revocable: {} }] }, "must be non-revocable"],
    ["shared without a parent", ["a"], container(true), "without a parent"],
    ["deep resources", ["a", "b", "c"], { resources: [cpus] }, "cannot specify resources"],
    ["deep limits", ["a", "b", "c"], { limits: { cpus: { value: 1 } } }, "cannot specify resource limits"],
    ["deep groups", ["a", "b", "c"], container(false), "cannot set 'share_cgroups'"],
    ["negative", ["a"], { resources: [{ ...cpus, scalar: { value: -1 } }] }, "Invalid resources"],
    ["no DockerInfo", ["a"], { container: { type: "DOCKER" } }, "DockerInfo 'docker' is not set"],
  ])("%s is refused", (_what, chain, more, why) => {
    expect(() => launch(chain, more)).toThrow(why);
  });

  it("takes what Mesos takes", () => {
    expect(launch(["a"], { resources: [cpus] })).toEqual(["a"]);
    expect(launch(["a"], container())).toEqual(["a"]);
    expect(launch(["a", "b"], { resources: [cpus], limits: { mem: { value: 1 } }, ...container(false) })).toEqual([
      "a",
      "b",
    ]);
  });
});
