import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskInfoSchema, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { buildAll } from "../../tools/build.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "command-line-"));
/** As it is shipped: it starts in a tenth of the time that its sources take. */
const program = join(folder, "mesos-slave");

let master: LocalMaster;
let agent: AgentProcess;
let scheduler: TestScheduler;

const environment = (): NodeJS.ProcessEnv => ({
  ...{ PATH: process.env["PATH"], HOME: process.env["HOME"], TERM: "xterm-256color" },
  MESOS_PORT: String(agent.port),
});
const start = (...words: string[]) => spawn(program, words, { env: environment(), stdio: "pipe" });

/** A command to its end; what it reads is `input`. */
async function run(words: readonly string[], input = "") {
  const child = start(...words);
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [output, errors] = [text(child.stdout), text(child.stderr)];
  const [code] = await once(child, "close");
  return { code, output: await output, errors: await errors };
}

async function launch(id: string, command: string): Promise<void> {
  await scheduler.launch([commandTask(id, command)]);
  await running(id);
}

const running = (id: string) => scheduler.until(id, () => scheduler.statesOf(id).includes(TaskState.TASK_RUNNING));

/** Whether a process runs whose command line has these words. */
const runs = (words: string): boolean => spawnSync("pgrep", ["-f", words]).status === 0;

beforeAll(async () => {
  await buildAll(join(folder, "dist"), { sourcemap: false, only: ["cli"] });
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${folder}/dist/cli.js' "$@"\n`, { mode: 0o755 });
  master = new LocalMaster({ port: 0 });
  await master.start();
  const flags = ["--resources=cpus:4;mem:4000", "--sandbox_log_max_size=100KB", "--sandbox_log_keep=9"];
  agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  agent.start(["--task_exec=enabled"]);
  scheduler = new TestScheduler({ master: master.address });
  await scheduler.subscribe();
  await launch("web.1", "echo hello; echo trouble >&2; OWN=1 exec sleep 1000");
  await launch("web.2", "exec sleep 1001");
});
afterAll(async () => {
  scheduler.close();
  await agent.destroy();
  await master.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("exec", () => {
  it("is the remote command: its outputs, its input, its exit code, its signal", async () => {
    const ran = await run(["exec", "web.1", "--", "sh", "-c", 'echo "out $PWD"; echo err >&2; exit 7']);
    expect(ran).toEqual({
      code: 7,
      output: expect.stringMatching(/^out \S+\/executors\/web\.1\/runs\//),
      errors: "err\n",
    });
    expect((await run(["exec", "web.1", "--", "sh", "-c", "kill -TERM $$"])).code).toBe(143);
    expect((await run(["exec", "-i", "web.1", "--", "cat"], "typed")).output).toBe("typed");
    // Without -i there is nothing to read.
    expect((await run(["exec", "web.1", "cat"], "typed")).output).toBe("");
  });

  it("carries 100 MB in order, both ways", async () => {
    const sum = "seq 1 14000000 | head -c 100000000";
    const here = spawnSync("sh", ["-c", `${sum} | md5sum`]).stdout.toString();
    const child = start("exec", "web.1", "--", "sh", "-c", sum);
    const [hash, ended] = [createHash("md5"), once(child, "close")];
    for await (const chunk of child.stdout) hash.update(chunk);
    expect([await ended, `${hash.digest("hex")}  -\n`]).toEqual([[0, null], here]);
    const there = spawnSync("sh", ["-c", `${sum} | '${program}' exec -i web.1 -- md5sum`], { env: environment() });
    expect(there.stdout.toString()).toBe(here);
  });

  it("ends with whoever reads it, and silently", async () => {
    const script = `'${program}' exec web.1 -- yes vanished-reader | head -1; echo "\${PIPESTATUS[0]}"`;
    const ran = spawnSync("bash", ["-c", script], { env: environment() });
    expect([ran.stdout.toString(), ran.stderr.toString()]).toEqual(["vanished-reader\n141\n", ""]);
    await expect.poll(() => runs("^yes vanished-reader")).toBe(false);
  });

  it.each(["SIGINT", "SIGKILL"] as const)("leaves no process after %s", async (signal) => {
    const child = start("exec", "web.1", "--", "sh", "-c", "echo up; sleep 7777 & sleep 7778");
    await once(child.stdout, "data");
    await expect.poll(() => runs("^sleep 7777") && runs("^sleep 7778")).toBe(true);
    child.kill(signal);
    const [code] = await once(child, "exit");
    expect(code).toBe(signal === "SIGINT" ? 130 : null);
    await expect.poll(() => runs("^sleep 777")).toBe(false);
  });

  it("is a terminal: its size, Ctrl-C, job control, an exit code, and ours is as before", async () => {
    const inner = `stty rows 40 cols 123; stty -a > '${agent.folder}/before'; '${program}' exec -it web.1 -- sh; code=$?; stty -a > '${agent.folder}/after'; exit $code`;
    const child = spawn("script", ["-qefc", inner, "/dev/null"], { env: environment(), stdio: "pipe" });
    const ended = once(child, "exit");
    let shown = "";
    child.stdout.on("data", (chunk) => {
      shown += chunk;
    });
    const says = (what: RegExp) => expect.poll(() => shown).toMatch(what);
    const type = (keys: string) => child.stdin.write(keys);
    await says(/# $/);
    type("stty size; echo term $TERM\r");
    await says(/^40 123\r\nterm xterm-256color\r$/m);
    const local = spawnSync("sh", ["-c", `ps -o tty= --ppid ${child.pid} | head -1`])
      .stdout.toString()
      .trim();
    spawnSync("stty", ["-F", `/dev/${local}`, "rows", "50", "cols", "90"]);
    await expect
      .poll(() => {
        type("stty size\r");
        return shown;
      })
      .toMatch(/^50 90\r$/m);
    type("sleep 7779\r");
    // Before it runs, Ctrl-C would be the shell's.
    await expect.poll(() => runs("^sleep 7779")).toBe(true);
    type("\x03");
    type("echo after $?; exit 7\r");
    await says(/after 130/);
    expect(await ended).toEqual([7, null]);
    const settings = (name: string) => readFileSync(join(agent.folder, name), "utf8").replace(/rows.*;/, "");
    expect(settings("after")).toBe(settings("before"));
  });
});

describe("logs", () => {
  it("are what a task has written", async () => {
    expect((await run(["logs", "web.1"])).output).toBe("hello\n");
    expect((await run(["logs", "web.1", "stderr", `--master=${master.address}`])).output).toContain("trouble\n");
  });

  it("are followed over rotations, to the end of the task", async () => {
    // It goes on when what it wrote was set aside, and once more behind that.
    const waits = "while [ ! -e stdout.1 ]; do sleep 0.1; done; sleep 1";
    const go = join(folder, "go");
    const begins = `seq 1 10; while [ ! -e ${go} ]; do sleep 0.1; done; seq 11 40000`;
    await launch("counts", `${begins}; ${waits}; seq 40001 40010; sleep 1; seq 40011 40020`);
    const child = start("logs", "-f", "counts");
    const ended = once(child, "close");
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
    // Nothing is set aside before somebody follows: that would not be followed, but be over.
    await expect.poll(() => output).toContain("10\n");
    writeFileSync(go, "");
    expect(await ended).toEqual([0, null]);
    expect(output).toBe(`${Array.from({ length: 40_020 }, (_, index) => index + 1).join("\n")}\n`);
  });
});

it("tasks are listed, here and by the master, and completed in a shell", async () => {
  const { output } = await run(["tasks"]);
  expect(output).toMatch(/^TASK .*\n(.*\n)*web\.1 +TASK_RUNNING +test +0 +1 +\d{4}-/);
  expect((await run(["tasks", "-q", `--master=${master.address}`])).output).toMatch(/^web\.2\n/m);
  const [here, there] = await Promise.all(
    [`--agent=127.0.0.1:${agent.port}`, `--master=${master.address}`].map(async (where) => {
      const rows = JSON.parse((await run(["tasks", "--json", where])).output) as { id: string; container_id: string }[];
      return rows.find(({ id }) => id === "web.1")?.container_id;
    }),
  );
  expect([here, there]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), here]);
  const script = `source <('${program}' completion bash); complete -p mesos-slave
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mesos_slave; echo "\${COMPREPLY[*]}"; }
    mesos-slave() { '${program}' "$@"; }
    compopt() { :; }
    try mesos-slave lo; try mesos-slave logs web; try mesos-slave logs web.1 std; try mesos-slave exec --inter`;
  const completed = spawnSync("bash", ["-c", script], { env: environment() });
  expect(completed.stdout.toString().split("\n").slice(1)).toEqual([
    "logs",
    "web.1 web.2",
    "stdout stderr",
    "--interactive",
    "",
  ]);
});

it("the program on the path is the agent, but for these words", () => {
  const words = (...given: string[]) => spawnSync(join(root, "bin/mesos-slave"), given, { env: environment() });
  expect(words("tasks", "-q").stdout.toString()).toContain("web.1\n");
  expect(words("--help").stdout.toString()).toContain("Usage: mesos-slave [options]");
  expect(words("help").stdout.toString()).toContain("Usage: mesos-slave COMMAND");
});

it("agents that speak TLS are asked, and their certificates checked where that is asked for", async () => {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", ...names, ...files]);
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
    response.end('{"frameworks": []}');
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const asked = async (address: string, variables: NodeJS.ProcessEnv) => {
    const child = spawn(program, ["tasks", "-q", `--agent=${address}`], { env: { ...environment(), ...variables } });
    const errors = text(child.stderr);
    return [(await once(child, "close"))[0], await errors];
  };
  const own = { LIBPROCESS_SSL_ENABLED: "1", LIBPROCESS_SSL_KEY_FILE: key, LIBPROCESS_SSL_CERT_FILE: cert };
  const checked = { ...own, LIBPROCESS_SSL_VERIFY_SERVER_CERT: "1" };
  const [plain, secured] = [`127.0.0.1:${port}`, `https://127.0.0.1:${port}`];
  expect(await asked(plain, own)).toEqual([0, ""]);
  expect(await asked(plain, { ...checked, LIBPROCESS_SSL_CA_FILE: cert })).toEqual([0, ""]);
  expect(await asked(plain, checked)).toEqual([1, expect.stringContaining("is not trusted: ")]);
  expect(await asked(secured, { LIBPROCESS_SSL_CA_FILE: cert })).toEqual([0, ""]);
  expect(await asked(secured, {})).toEqual([1, expect.stringContaining("LIBPROCESS_SSL_CA_FILE=FILE")]);
  expect(await asked(plain, {})).toEqual([1, expect.stringContaining(`Write https://${plain}`)]);
  server.closeAllConnections();
  server.close();
});

it("top shows what tasks use, once where there is no terminal", async () => {
  const { code, output } = await run(["top", "--interval=200ms"]);
  expect([code, output]).toEqual([0, expect.stringMatching(/^TASK +CPU .*\n(.*\n)*web\.1 +\d+\.\d\d /)]);
});

it("says what is wrong, and how to go on", async () => {
  const tried = async (...words: string[]) => {
    const { code, errors } = await run(words);
    return [code, errors];
  };
  expect(await tried("exec", "web", "--", "true")).toEqual([
    125,
    expect.stringContaining("begin with 'web': web.1, web.2"),
  ]);
  expect(await tried("exec", "web.3", "true")).toEqual([125, expect.stringContaining("did you mean web.1?")]);
  expect(await tried("logs")).toEqual([64, expect.stringContaining("mesos-slave tasks lists them")]);
  expect(await tried("attach", "web.1")).toEqual([125, expect.stringContaining("mesos-slave exec -it web.1 -- sh")]);
  expect(await tried("tasks", "--agent=127.0.0.1:1")).toEqual([1, expect.stringContaining("connection refused")]);
});

it("the feature that is off is told with its flag", async () => {
  const other = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: ["--resources=cpus:4;mem:4000"],
  });
  other.start();
  try {
    const offer = await scheduler.until("offer", () =>
      scheduler.offers.find(({ url }) => url?.address?.port === other.port),
    );
    const task = { ...commandTask("elsewhere", "exec sleep 1000"), agentId: { value: offer.agentId?.value ?? "" } };
    await scheduler.accept([offer], [{ type: 1, launch: { taskInfos: [create(TaskInfoSchema, task)] } }]);
    await running("elsewhere");
    // Found through the master: it is not on this node's agent.
    const { code, errors } = await run(["exec", "elsewhere", `--master=${master.address}`, "--", "true"]);
    expect([code, errors]).toEqual([125, expect.stringMatching(/\(403\).*--task_exec=enabled/)]);
  } finally {
    await other.destroy();
  }
});

it("drain empties the agent, and Ctrl-C leaves it draining", async () => {
  await launch("stubborn", "trap '' TERM; while :; do sleep 0.1; done");
  const child = start("drain", `--master=${master.address}`, "--max_grace_period=5secs");
  const [output, errors] = [text(child.stdout), text(child.stderr)];
  await once(child.stdout, "data");
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
  expect([await output, await errors]).toEqual([
    expect.stringMatching(/^Draining 127\.0\.0\.1 \(/),
    expect.stringContaining("goes on draining"),
  ]);
  const again = await run(["drain", `--master=${master.address}`]);
  expect([again.code, again.output]).toEqual([0, expect.stringContaining("DRAINED, no tasks left")]);
});
