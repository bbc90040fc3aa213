import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { Program } from "../support/program.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { finish, keepRunning, ScriptedAgent, type ScriptedAgentOptions } from "../support/scripted-agent.ts";

let master: LocalMaster;
let agent: ScriptedAgent | undefined;
const programs: Program[] = [];

/** What the scripted agent shows as the task's sandbox. */
const files: Record<string, Buffer> = {};

function execute(...words: string[]): Program {
  const program = new Program("mesos-execute", [`--master=${master.address}`, "--name=job", ...words]);
  programs.push(program);
  return program;
}

/** An agent with the two pages that mesos-execute reads, as agents serve them. */
async function startAgent(options: Partial<ScriptedAgentOptions> = {}): Promise<ScriptedAgent> {
  agent = await ScriptedAgent.start({ master: master.address, ...options });
  const started = agent;
  started.process.http((request, response) => {
    const url = new URL(request.url ?? "", "http://agent");
    const launched = started.launched.map(({ framework, task }) => ({
      id: framework?.id?.value,
      executors: [{ id: task?.taskId?.value, directory: "/sandbox" }],
    }));
    if (url.pathname === "/slave(1)/state") response.end(JSON.stringify({ frameworks: launched }));
    else if (url.pathname === "/files/read") {
      const file = files[url.searchParams.get("path") ?? ""] ?? Buffer.alloc(0);
      const offset = Number(url.searchParams.get("offset"));
      const data = JSON.stringify(file.subarray(offset).toString("latin1"));
      response.end(Buffer.from(`{"data":${data},"offset":${offset}}`, "latin1"));
    } else response.writeHead(404).end();
  });
  await started.register();
  return started;
}

beforeEach(async () => {
  files["/sandbox/stdout"] = Buffer.from("hello\ndöne\n");
  files["/sandbox/stderr"] = Buffer.from("trouble\n");
  master = new LocalMaster({ port: 0 });
  await master.start();
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  await agent?.close();
  agent = undefined;
  await master.stop();
});

it("tells the states and the output of a task, and ends with 0 when it finished", async () => {
  await startAgent();
  const program = execute("--command=echo hello", "--resources=cpus:0.5;mem:64", '--env={"A":"1"}');
  expect([await program.ended(), program.output]).toEqual([0, expect.stringContaining("TASK_FINISHED")]);
  for (const text of ["TASK_RUNNING", "hello\ndöne\n", "trouble\n"]) expect(program.output).toContain(text);
  expect(program.output.indexOf("hello")).toBeLessThan(program.output.indexOf("TASK_FINISHED"));
  expect(agent?.launched[0]?.task?.command).toMatchObject({
    value: "echo hello",
    environment: { variables: [{ name: "A", value: "1" }] },
  });
  await agent?.until(() => agent?.received.includes("shutdown framework") === true);
});

it("ends with 1 when the task failed", async () => {
  await startAgent({
    run: (self, { framework, task }) =>
      self.update(framework?.id?.value ?? "", task?.taskId?.value ?? "", TaskState.TASK_FAILED),
  });
  const program = execute("--command=false");
  expect(await program.ended()).toBe(1);
  expect(program.output).toContain("TASK_FAILED");
});

it("shows output while the task runs, and kills the task on Ctrl-C", async () => {
  await startAgent({ run: keepRunning });
  const program = execute("--command=sleep 1000");
  await program.printed("hello");
  files["/sandbox/stdout"] = Buffer.from("hello\ndöne\nmore\n");
  await program.printed("more\n");
  program.child.kill("SIGINT");
  expect(await program.ended()).toBe(1);
  expect(program.output).toContain("TASK_KILLED");
  expect(program.output.match(/hello/g)).toHaveLength(1);
});

it("waits for an offer that fits, until --timeout", async () => {
  await startAgent({ run: finish });
  const program = execute("--command=true", "--resources=cpus:64", "--timeout=500ms");
  expect(await program.ended()).toBe(1);
  expect(program.output).toContain("--timeout");
  expect(agent?.launched).toEqual([]);
});

it("runs a group of tasks to its end, and kills all of it", async () => {
  const node = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: ["--resources=cpus:4;mem:1024"],
  });
  node.start();
  const group = (...commands: string[]) => ({
    tasks: commands.map((value, index) => ({
      name: `member ${index}`,
      task_id: { value: `t${index}` },
      resources: [{ name: "cpus", type: "SCALAR", scalar: { value: 0.1 } }],
      command: { value },
    })),
  });
  const run = (what: object, ...words: string[]): Program => {
    const file = join(node.folder, "group.json");
    writeFileSync(file, JSON.stringify(what));
    const program = new Program("mesos-execute", [`--master=${master.address}`, `--task_group=${file}`, ...words]);
    programs.push(program);
    return program;
  };
  try {
    const finished = run(group("echo one", "echo two; echo trouble >&2", "sleep 1; echo three"));
    expect([await finished.ended(), finished.output]).toEqual([0, expect.stringContaining("task group of t0, t1, t2")]);
    for (const text of ["one\n", "two\n", "trouble\n", "three\n"]) expect(finished.output).toContain(text);
    expect(finished.output.match(/is TASK_FINISHED/g)).toHaveLength(3);
    const failed = run(group("sleep 1000", "exit 3"));
    expect(await failed.ended()).toBe(1);
    // Each task has a stream of statuses of its own: whose next one waits for an acknowledgement comes later.
    expect(failed.output).toContain("Task 't1' is TASK_FAILED");
    expect(failed.output).toContain("Task 't0' is TASK_KILLED");
    const killed = run(group("echo up; sleep 1000", "sleep 1000"));
    await killed.printed("up\n");
    killed.child.kill("SIGINT");
    expect(await killed.ended()).toBe(1);
    const misused = run(group("true"), "--command=true");
    expect(await misused.ended()).toBe(1);
    expect(misused.output).toContain("--command and --task_group do not go together");
    const [single] = group("echo alone; exit 4").tasks;
    const alone = new Program("mesos-execute", [`--master=${master.address}`, `--task=${JSON.stringify(single)}`]);
    programs.push(alone);
    expect([await alone.ended(), alone.output]).toEqual([
      1,
      expect.stringMatching(/alone\n[\s\S]*'t0' is TASK_FAILED/),
    ]);
  } finally {
    await node.destroy();
  }
});

it("shows everything that a task on our agent writes", async () => {
  const node = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: ["--resources=cpus:2;mem:1024"],
  });
  node.start();
  try {
    const program = execute(
      "--command=echo hello; echo trouble >&2; sleep 1; echo $GREETING; exit 3",
      '--env={"GREETING":"bye"}',
    );
    expect(await program.ended()).toBe(1);
    for (const text of ["TASK_RUNNING", "hello\n", "trouble\n", "bye\n", "TASK_FAILED"])
      expect(program.output).toContain(text);
  } finally {
    await node.destroy();
  }
});

it.each([
  [["--command=true", "--resources=cpus"], "missing or extra ':'"],
  [[], "nothing to run"],
  [["--command=true", "--comand=x"], "comand"],
  [["--command=true", "--principal=p"], "go together"],
])("refuses %j with what is wrong", async (words, problem) => {
  const program = execute(...words);
  expect(await program.ended()).toBe(1);
  expect(program.output).toContain(problem);
});

it("says what the best offer lacks, and which name may be a slip", async () => {
  await startAgent();
  const greedy = execute("--command=true", "--resources=cpus:1000;mem:1");
  await greedy.printed(" and lacks cpus:");
  expect(greedy.output).toMatch(/No offer fits: the best, of \S+, has [^\n]* and lacks cpus:\d+\n/);
  await greedy.stop();
  await execute("--command=true", "--resources=cpu:1").printed("no offer has 'cpu': did you mean cpus?");
});

it("says that nothing is offered at all", async () => {
  await execute("--command=true").printed("No offer yet: has the master agents, with something free for the role '*'?");
});

it("takes a master's address as a browser shows it, and values as next words", async () => {
  await startAgent();
  const words = [`--master=http://${master.address}/`, "--name", "job", "--command", "echo hello", "--timeout", "5m"];
  const program = new Program("mesos-execute", words);
  programs.push(program);
  expect(await program.ended(), program.output).toBe(0);
});

it("knows an agent from a master", async () => {
  const node = new AgentProcess({ master: master.address, port: await freePort() });
  try {
    node.start();
    const address = `127.0.0.1:${node.port}`;
    await expect
      .poll(() =>
        fetch(`http://${address}/health`).then(
          ({ ok }) => ok,
          () => false,
        ),
      )
      .toBe(true);
    const program = new Program("mesos-execute", [`--master=${address}`, "--command=true"]);
    programs.push(program);
    expect(await program.ended()).toBe(1);
    expect(program.output).toContain(
      `mesos-execute: ${address} is an agent, not a master\n  Fix: give the address of its`,
    );
  } finally {
    await node.destroy();
  }
});
