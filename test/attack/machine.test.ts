import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AttackedNode, canAttack, hasUserNamespaces, OTHER_USER } from "../support/attacked-node.ts";
import { missing } from "../support/missing.ts";
import type { TestScheduler } from "../support/scheduler.ts";

const { TASK_FAILED, TASK_FINISHED } = TaskState;

/** The words of a task's stdout. */
const outputOf = (node: AttackedNode, test: TestScheduler, id: string): string =>
  readFileSync(join(node.sandbox(test, id), "stdout"), "utf8");

describe.runIf(canAttack)("who a task is", () => {
  let node: AttackedNode;
  let inherited: number;
  beforeAll(async () => {
    // As a careless supervisor leaves it: a descriptor of root's, open in the agent and in whatever it starts.
    const path = join(import.meta.dirname, "../../package.json");
    inherited = openSync(path, "r");
    node = await AttackedNode.start([], undefined, inherited);
  });
  afterAll(async () => {
    await node.stop();
    closeSync(inherited);
  });

  afterEach(() => node.endFrameworks());

  it.each(["0", "+0", "00", "-0", " root", "root\n", "0x0"])(
    "user %j is nobody's name, least of all root's",
    async (user) => {
      const test = await node.scheduler(user);
      const status = await node.run(test, "who", `id -u > ${node.open}/ran`);
      expect(status.state).toBe(TASK_FAILED);
      expect(status.message).toContain("Failed to find user");
      expect(() => readFileSync(join(node.open, "ran"))).toThrow("ENOENT");
    },
  );

  it("a user's name and a variable's name forge no line of the agent's log", async () => {
    const line = "E1129 12:00:00.000000     1 forged.cpp:1] all is lost";
    const test = await node.scheduler(`x\n${line}`);
    await node.run(test, "forge", "true");
    await node.endFrameworks();
    const other = await node.scheduler();
    const variables = [{ name: `A\n${line}`, value: `\n${line}` }];
    await node.run(other, "forge2", "true", { command: { shell: true, value: "true", environment: { variables } } });
    expect(node.agent.log).toContain("all is lost");
    expect(node.agent.log.split("\n").filter((text) => text.startsWith("E1129 12:00"))).toEqual([]);
  });

  it("nothing that the agent has open reaches a task", async () => {
    const test = await node.scheduler();
    expect(await node.run(test, "open", "ls -l /proc/$$/fd")).toMatchObject({ state: TASK_FINISHED });
    const targets = outputOf(node, test, "open").match(/-> .*/g)?.toSorted();
    expect(targets).toEqual(["-> /dev/null", expect.stringMatching(/\/stderr$/), expect.stringMatching(/\/stdout$/)]);
  });

  it("a task reads no checkpoint: there lie the secrets of all others", async () => {
    const owner = await node.scheduler(OTHER_USER, { checkpoint: true });
    const variables = [{ name: "PASSWORD", value: "hunter2-checkpointed" }];
    await node.run(owner, "own", "true", { command: { shell: true, value: "true", environment: { variables } } });
    await node.endFrameworks();
    const thief = await node.scheduler();
    const meta = join(node.agent.workDir, "meta");
    await node.run(thief, "steal", `grep -rsl hunter2 ${meta}; find ${meta} -readable; true`);
    const stolen = outputOf(node, thief, "steal");
    expect(stolen).toBe("");
  });
});

describe.runIf(canAttack)("what the files API shows", () => {
  let node: AttackedNode;
  let test: TestScheduler;
  beforeAll(async () => {
    node = await AttackedNode.start();
    test = await node.scheduler();
    writeFileSync(join(node.open, "mine"), "root's alone\n", { mode: 0o600 });
  });
  afterAll(() => node.stop());

  const read = (id: string, name: string) =>
    node.get(`/files/read?offset=0&path=${encodeURIComponent(join(node.sandbox(test, id), name))}`);

  it("is not what a task shows in a namespace of its own", async (context) => {
    if (!hasUserNamespaces()) missing(context, "users get no namespaces of their own here");
    const script = `touch shown
      unshare -Urm sh -c 'mount --bind ${node.open}/mine shown && echo $$ > pid && sleep 1000' &
      while [ ! -s pid ]; do sleep 0.05; done
      ln -s /proc/$(cat pid)/root$(pwd -P)/shown link; ln -s /proc/$(cat pid)/root/etc/shadow shadow
      ln -s /proc/$$/cwd/../../../../../../../../../../../etc/shadow climbing; echo ready > ready; wait`;
    await node.begin(test, "namespace", script);
    await expect.poll(async () => (await read("namespace", "ready")).text).toContain("ready");
    for (const name of ["link", "shadow", "climbing"])
      expect(await read("namespace", name)).toMatchObject({ status: 400 });
    expect((await read("namespace", "shown")).text).not.toContain("root's alone");
    await test.kill("namespace");
  });

  it("is a file, at once, or nothing", async () => {
    await node.begin(test, "fifo", "mkfifo pipe; echo content > file; ln -s file link; echo x > ready; sleep 1000");
    await expect.poll(async () => (await read("fifo", "ready")).text).toContain("x");
    for (let round = 0; round < 8; round++) expect(await read("fifo", "pipe")).toMatchObject({ status: 400 });
    expect((await read("fifo", "link")).text).toContain("content");
    await test.kill("fifo");
  });
});
