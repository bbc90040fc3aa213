import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { AgentInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type AgentPhase, Identity } from "./identity.ts";

const identity = (): Identity => new Identity(create(AgentInfoSchema, { hostname: "h" }), 5);

describe("who the agent is", () => {
  test("its id cannot be read before there is one", () => {
    const agent = identity();
    expect(() => agent.id).toThrow("no id yet");
    expect(agent.knownId).toBeUndefined();
    agent.adopt("S1");
    expect(agent.id).toBe("S1");
    expect(agent.info.id?.value).toBe("S1");
    expect(agent.info.hostname).toBe("h");
  });

  test("another start has another resource version", () => {
    expect(identity().resourceVersion).not.toEqual(identity().resourceVersion);
  });

  const way: Record<AgentPhase, AgentPhase[]> = {
    RECOVERING: [],
    DISCONNECTED: ["DISCONNECTED"],
    RUNNING: ["DISCONNECTED", "RUNNING"],
    TERMINATING: ["TERMINATING"],
  };
  test.each([
    ["RECOVERING", "RUNNING"],
    ["DISCONNECTED", "RECOVERING"],
    ["RUNNING", "RECOVERING"],
    ["TERMINATING", "RECOVERING"],
    ["TERMINATING", "DISCONNECTED"],
    ["TERMINATING", "RUNNING"],
  ] as const)("%s never becomes %s", (from, to) => {
    const agent = identity();
    for (const phase of way[from]) agent.move(phase);
    expect(agent.phase).toBe(from);
    expect(() => agent.move(to)).toThrow(`cannot go from ${from} to ${to}`);
  });
});
