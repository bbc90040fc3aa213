import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  RegisterSlaveMessageSchema,
  ReregisterSlaveMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { AgentInfo_Capability_Type, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { advertisedCapabilities, capabilityNames } from "./capabilities.ts";
import { explainSilence, type Silence } from "./explain.ts";
import { type Outgoing, registrationProblem } from "./outgoing.ts";
import { shutdownAdvice } from "./shutdown-advice.ts";

const agent = { hostname: "node", port: 5051, checkpoint: true };
const cpus = (value: number) => ({ name: "cpus", type: Value_Type.SCALAR, scalar: { value } });

type Register = MessageInitShape<typeof RegisterSlaveMessageSchema>;
type Reregister = MessageInitShape<typeof ReregisterSlaveMessageSchema>;

const register = (more: object = {}): Outgoing => ({
  kind: "register",
  message: create(RegisterSlaveMessageSchema, { agent, version: "1.11.0", ...more } as Register),
});

const reregister = (more: object = {}): Outgoing => {
  const fields = { agent: { ...agent, id: { value: "S1" } }, version: "1.11.0", ...more };
  return { kind: "reregister", message: create(ReregisterSlaveMessageSchema, fields as Reregister) };
};

const task = (agentId: string, framework: string) => ({
  name: "t",
  taskId: { value: "t1" },
  frameworkId: { value: framework },
  agentId: { value: agentId },
  state: 1,
});

describe("registrationProblem", () => {
  it("lets sound messages pass", () => {
    expect(registrationProblem(register())).toBeUndefined();
    const frameworks = [{ user: "u", name: "f", id: { value: "F" } }];
    expect(registrationProblem(reregister({ frameworks, tasks: [task("S1", "F")] }))).toBeUndefined();
  });

  it.each<[string, Outgoing, string]>([
    ["no agent", register({ agent: undefined }), "agent is not set"],
    ["no host name", register({ agent: { port: 1 } }), "hostname"],
    ["no checkpointing", register({ agent: { ...agent, checkpoint: false } }), "checkpoint"],
    ["an old version", register({ version: "0.24.1" }), "1.0.0"],
    ["no version", register({ version: "" }), "1.0.0"],
    ["an id too early", register({ agent: { ...agent, id: { value: "S1" } } }), "first registration"],
    ["no id", reregister({ agent }), "no agent id"],
    [
      "a false claim",
      register({ agentCapabilities: [{ type: AgentInfo_Capability_Type.RESOURCE_PROVIDER }] }),
      "without a resource version",
    ],
    [
      "reservations that do not fit",
      register({
        agent: { ...agent, resources: [cpus(1)] },
        checkpointedResources: [{ ...cpus(2), role: "r", reservation: { principal: "p" } }],
      }),
      "does not hold",
    ],
    [
      "allocated checkpoints",
      register({ checkpointedResources: [{ ...cpus(1), allocationInfo: { role: "r" } }] }),
      "allocation_info",
    ],
    ["a task of another agent", reregister({ tasks: [task("S2", "F")] }), "another agent id"],
    ["a task of an unlisted framework", reregister({ tasks: [task("S1", "F")] }), "task 't1' is of framework 'F'"],
    ["a re-registration without agent", reregister({ agent: undefined }), "agent is not set"],
    [
      "an executor of an unlisted framework",
      reregister({ executorInfos: [{ executorId: { value: "e" }, frameworkId: { value: "F" }, command: {} }] }),
      "executor 'e' is of framework 'F', which is not listed",
    ],
    [
      "a framework that is listed twice",
      reregister({ frameworks: [1, 2].map(() => ({ user: "u", name: "f", id: { value: "F" } })) }),
      "listed twice",
    ],
    [
      "reservations that do not fit, later too",
      reregister({ checkpointedResources: [{ ...cpus(2), role: "r", reservation: { principal: "p" } }] }),
      "does not hold",
    ],
  ])("refuses %s", (_name, outgoing, why) => {
    expect(registrationProblem(outgoing)).toContain(why);
  });
});

describe("explainSilence", () => {
  const silence: Silence = {
    master: { id: "master", ip: "10.0.0.1", port: 5050 },
    masterVersion: "1.11.0",
    self: { id: "slave(1)", ip: "10.0.0.7", port: 5051 },
    attempts: 3,
    hasCredential: false,
    linkFailure: undefined,
    sent: register({ agentCapabilities: advertisedCapabilities() }),
  };

  it("names the likely reasons and what was sent", () => {
    const text = explainSilence(silence);
    for (const part of ["Mesos 1.11.0", "3 attempts", "--credential", "--domain", "10.0.0.7:5051", "MULTI_ROLE"])
      expect(text).toContain(part);
  });

  it("counts what was sent, and says of whom", () => {
    const frameworks = [{ user: "u", name: "f", id: { value: "F" } }];
    const domain = { faultDomain: { region: { name: "r" }, zone: { name: "z" } } };
    const text = explainSilence({
      ...silence,
      masterVersion: undefined,
      hasCredential: true,
      sent: reregister({
        agent: { ...agent, id: { value: "S1" }, domain },
        frameworks,
        tasks: [task("S1", "F")],
        checkpointedResources: [cpus(1), cpus(1)],
      }),
    });
    for (const part of [
      "No answer from master@10.0.0.1:5050 after 3 attempts.",
      "re-registration of agent S1; slave(1)@10.0.0.7:5051, host name 'node'; version 1.11.0; capabilities none",
      "domain r/z; 2 reservations or volumes; 1 tasks, 0 executors",
      "--acls",
      "drop --domain",
      "may find a task, executor or framework in the message invalid",
    ])
      expect(text).toContain(part);
    for (const part of ["--credential", "give --domain"]) expect(text).not.toContain(part);
  });

  it("has no word of tasks where there are none", () => {
    const first = explainSilence(silence);
    expect(first).toContain("registration of a new agent");
    for (const part of ["tasks,", "reservations or volumes", "in the message invalid", "domain r"])
      expect(first).not.toContain(part);
    const again = explainSilence({ ...silence, sent: reregister(), masterVersion: "" });
    expect(again).toContain("0 tasks, 0 executors");
    expect(again).not.toContain("in the message invalid");
    expect(again).not.toContain("(Mesos");
    const command = {};
    const executor = { executorId: { value: "e" }, frameworkId: { value: "F" }, command };
    expect(explainSilence({ ...silence, sent: reregister({ executorInfos: [executor] }) })).toContain(
      "in the message invalid",
    );
  });

  it("says so when the master cannot even be reached", () => {
    const text = explainSilence({ ...silence, linkFailure: "connect ECONNREFUSED" });
    expect(text).toContain("connect ECONNREFUSED");
    expect(text).not.toContain("--credential");
  });
});

describe("capabilities", () => {
  it("claims only what is implemented", () => {
    expect(capabilityNames([{ name: "RESIZE_VOLUME", since: "1.6", implemented: false, without: "" }])).toEqual([]);
    expect(advertisedCapabilities().map(({ type }) => type)).toHaveLength(capabilityNames().length);
  });
});

describe("shutdownAdvice", () => {
  it.each([
    ["Slave is not authenticated", "--credential"],
    ["Agent attempted to re-register after removal", "registers as a new agent"],
    ["Agent attempted to reregister with different IP / hostname", "--hostname"],
    ["health check timed out", "--port"],
    ["Agent has been marked gone", "new agent"],
    ["Machine is `DOWN`", "/machine/up"],
  ])("knows %s", (message, part) => {
    expect(shutdownAdvice(message)).toContain(part);
  });

  it("has nothing to say about the unknown", () => {
    expect(shutdownAdvice("because")).toBeUndefined();
  });
});
