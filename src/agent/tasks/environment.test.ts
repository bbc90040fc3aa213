import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CommandInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { DEFAULT_PATH } from "../model/default-path.ts";
import { type EnvironmentInput, executorEnvironment } from "./environment.ts";

const input: EnvironmentInput = {
  agent: { PATH: "/agent/bin", LIBPROCESS_IP: "10.0.0.1", MESOS_NATIVE_JAVA_LIBRARY: "/lib/m.so", SECRET: "s" },
  configured: undefined,
  frameworkId: "framework",
  executorId: "executor",
  agentId: "agent",
  agentPid: "slave(1)@10.0.0.1:5051",
  agentEndpoint: "10.0.0.1:5051",
  directory: "/work/sandbox",
  sandbox: "/mnt/mesos/sandbox",
  checkpoint: true,
  token: undefined,
  recoveryTimeout: 15 * 60_000,
  shutdownGracePeriod: 5_000,
  httpCommandExecutor: false,
  allocationRole: "role",
  command: undefined,
};

const withVariables = (...variables: readonly { name: string; value: string }[]) =>
  create(CommandInfoSchema, { environment: { variables: [...variables] } });

describe("the environment of a task or executor (mesos-wire §5.3)", () => {
  it("keeps a variable of any name", () => {
    const made = executorEnvironment({ ...input, command: withVariables({ name: "__proto__", value: "x" }) });
    expect(Object.entries(made)).toContainEqual(["__proto__", "x"]);
  });

  it("has the variables of all eras and little of the agent's own", () => {
    expect(executorEnvironment(input)).toEqual({
      PATH: "/agent/bin",
      LIBPROCESS_IP: "10.0.0.1",
      MESOS_NATIVE_JAVA_LIBRARY: "/lib/m.so",
      LIBPROCESS_PORT: "0",
      MESOS_FRAMEWORK_ID: "framework",
      MESOS_EXECUTOR_ID: "executor",
      MESOS_SLAVE_ID: "agent",
      MESOS_SLAVE_PID: "slave(1)@10.0.0.1:5051",
      MESOS_AGENT_ENDPOINT: "10.0.0.1:5051",
      MESOS_DIRECTORY: "/work/sandbox",
      MESOS_SANDBOX: "/mnt/mesos/sandbox",
      MESOS_CHECKPOINT: "1",
      MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: "5secs",
      MESOS_HTTP_COMMAND_EXECUTOR: "0",
      MESOS_RECOVERY_TIMEOUT: "15mins",
      MESOS_SUBSCRIPTION_BACKOFF_MAX: "2secs",
      MESOS_ALLOCATION_ROLE: "role",
    });
  });

  it("tells an executor without checkpoints not to wait", () => {
    const environment = executorEnvironment({ ...input, checkpoint: false, allocationRole: undefined });
    expect(environment["MESOS_CHECKPOINT"]).toBe("0");
    expect(Object.keys(environment)).not.toContain("MESOS_RECOVERY_TIMEOUT");
    expect(Object.keys(environment)).not.toContain("MESOS_SUBSCRIPTION_BACKOFF_MAX");
    expect(Object.keys(environment)).not.toContain("MESOS_ALLOCATION_ROLE");
  });

  it("takes the configured variables instead of the agent's", () => {
    const environment = executorEnvironment({ ...input, configured: { A: "1", LIBPROCESS_IP: "10.9.9.9" } });
    expect(environment).toMatchObject({ A: "1", LIBPROCESS_IP: "10.9.9.9", PATH: DEFAULT_PATH });
    expect(environment).not.toHaveProperty("MESOS_NATIVE_JAVA_LIBRARY");
    expect(executorEnvironment({ ...input, configured: { PATH: "/own" } })["PATH"]).toBe("/own");
    expect(executorEnvironment({ ...input, agent: {} })["PATH"]).toBe(DEFAULT_PATH);
  });

  it("lets the command have the last word, the later of two", () => {
    const command = withVariables(
      { name: "PATH", value: "/task" },
      { name: "MESOS_SANDBOX", value: "mine" },
      { name: "TWICE", value: "1" },
      { name: "TWICE", value: "2" },
    );
    const environment = executorEnvironment({ ...input, command });
    expect(environment).toMatchObject({ PATH: "/task", MESOS_SANDBOX: "mine", TWICE: "2" });
  });
});
