import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAcls } from "../../src/agent/authorization/acls.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, framework } from "../support/agent-under-test.ts";
import { answersTo, CREDENTIALS, deeds, PRINCIPALS, type Target } from "./permissions/deeds.ts";
import { expected } from "./permissions/expected.ts";
import { files } from "./permissions/files.ts";

/** One agent that asks for names, and one that does not; the rules are given to them one file after the other. */
const agents = new Map<boolean, { readonly test: AgentUnderTest; readonly target: Target }>();

async function open(realms: boolean): Promise<void> {
  const test = await AgentUnderTest.open();
  const [logs, passwords] = [join(test.folder, "log"), join(test.folder, "credentials")];
  mkdirSync(logs);
  writeFileSync(join(logs, "mesos-slave.INFO"), "a line\n");
  writeFileSync(passwords, JSON.stringify(CREDENTIALS), { mode: 0o600 });
  await test.start({
    flags: [
      `--log_dir=${logs}`,
      "--task_exec=enabled",
      ...(realms
        ? [`--http_credentials=${passwords}`, "--authenticate_http_readonly", "--authenticate_http_readwrite"]
        : []),
    ],
    createSandbox: (directory) => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "stdout"), "here\n");
    },
  });
  await test.register();
  for (const user of ["alice", "bob"])
    await test.running(user, TaskState.TASK_RUNNING, { framework: framework({ id: user, user }) }, commandTask(user));
  const place = (user: string) => {
    const { executors } = test.node.viewed.registry.active.get(user) ?? {};
    const { directory = "", containerId = "" } = executors?.get(user) ?? {};
    return { directory, containerId };
  };
  const [alice, bob] = [place("alice"), place("bob")];
  agents.set(realms, {
    test,
    target: {
      port: test.port,
      sandboxes: { alice: alice.directory, bob: bob.directory },
      containers: { alice: alice.containerId, bob: bob.containerId },
    },
  });
}

beforeAll(async () => {
  await open(true);
  await open(false);
});
afterAll(async () => {
  for (const { test } of agents.values()) await test.close();
});

describe.each(files)("--acls: $name", ({ name, acls, realms }) => {
  it.each(PRINCIPALS)("%s", async (principal) => {
    const agent = agents.get(realms);
    if (agent === undefined) throw new Error("no agent was started");
    const { authorizer } = agent.test.node.permissions;
    authorizer.replace(acls === undefined ? undefined : parseAcls(acls));
    const verdicts = await answersTo(principal, agent.target);
    const told = (all: readonly string[] | undefined) =>
      Object.fromEntries(deeds.map(({ name }, index) => [name, all?.[index]]));
    expect(told(verdicts)).toEqual(told(expected().get(name)?.get(principal)));
  });
});

it("the table has more than 400 rows, and no deed twice", () => {
  expect(files.length * PRINCIPALS.length * deeds.length).toBeGreaterThan(4_000);
  expect(new Set(deeds.map(({ name }) => name)).size).toBe(deeds.length);
});
