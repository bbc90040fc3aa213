/**
 * How long it takes until a command that is run beside a running task says its first word: by a session in a command task, by
 * one in a Docker task, by `docker exec` in the same container and by the Engine's API without any agent, in turns.
 *
 *   npm run bench sessions -- [--rounds 50]
 *
 * Prints milliseconds from the request to the first byte. `docker exec` also pays for the start of its program.
 */
import { spawn } from "node:child_process";
import { request } from "node:http";
import { parseArgs } from "node:util";
import { LocalMaster } from "../src/local-master/local-master.ts";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../test/support/dockerd.ts";
import { freePort } from "../test/support/free-port.ts";
import { AgentProcess } from "../test/support/real-agent.ts";
import { commandTask, TestScheduler } from "../test/support/scheduler.ts";
import { SessionClient } from "../test/support/session-client.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "50" } } });
const missing = dockerdMissing();
if (missing !== undefined) {
  console.error(`bench/sessions: ${missing}`);
  process.exit(1);
}
const SAYS = ["sh", "-c", "echo said"];

const dockerd = await TestDockerd.start();
const master = new LocalMaster({ port: 0 });
await master.start();
const flags = ["--no-switch_user", "--task_exec=enabled", "--containerizers=docker,mesos"];
const agent = new AgentProcess({
  master: master.address,
  port: await freePort(),
  flags: [...flags, `--docker_socket=${dockerd.socket}`],
});
const scheduler = new TestScheduler({ master: master.address, name: "bench" });

/** Launches a task and resolves to its container's id. */
async function launched(id: string, more: object): Promise<string> {
  await scheduler.launch([commandTask(id, "sleep 10000", more)]);
  const running = await scheduler.until(id, () =>
    scheduler.updates.find(({ taskId, state }) => taskId?.value === id && state === TaskState.TASK_RUNNING),
  );
  return running.containerStatus?.containerId?.value ?? "";
}

async function session(container: string, name: string): Promise<number> {
  const client = new SessionClient(agent.port, [container, name]);
  await client.open({ shell: false, value: SAYS[0], arguments: SAYS });
  await client.ended;
  if (client.firstByte === undefined) throw new Error(`a session said nothing: ${client.status} ${client.text}`);
  return client.firstByte;
}

async function dockerExec(container: string): Promise<number> {
  const begun = performance.now();
  const child = spawn("docker", ["-H", `unix://${dockerd.socket}`, "exec", container, ...SAYS]);
  const first = new Promise<number>((done) => child.stdout.once("data", () => done(performance.now() - begun)));
  await new Promise((done) => child.once("close", done));
  return await first;
}

/** Posts to the Engine; resolves to the body, and to when its first byte came. */
function post(path: string, body: object): Promise<{ text: string; first: number }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const call = request({ socketPath: dockerd.socket, path, method: "POST", headers, agent: false }, (answer) => {
      let [text, first] = ["", 0];
      answer.on("data", (chunk: Buffer) => {
        first ||= performance.now();
        text += chunk;
      });
      answer.on("end", () => resolve({ text, first }));
      answer.on("error", reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}

async function engineExec(container: string): Promise<number> {
  const begun = performance.now();
  const what = { Cmd: SAYS, AttachStdout: true, AttachStderr: true };
  const { text } = await post(`/v1.41/containers/${container}/exec`, what);
  const { first } = await post(`/v1.41/exec/${(JSON.parse(text) as { Id: string }).Id}/start`, { Detach: false });
  return first - begun;
}

const ways: Record<string, number[]> = {};
try {
  agent.start();
  await scheduler.subscribe();
  const command = await launched("command", {});
  const image = { type: 1, docker: { image: "box:1" } };
  const docker = await launched("docker", { container: image });
  const [id = ""] = (await dockerd.docker("ps", "-q")).split("\n");
  const runs: Record<string, (round: number) => Promise<number>> = {
    "session in a command task": (round) => session(command, `c${round}`),
    "session in a Docker task": (round) => session(docker, `d${round}`),
    "docker exec": () => dockerExec(id),
    "the Engine's API alone": () => engineExec(id),
  };
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [way, run] of Object.entries(runs)) {
      ways[way] ??= [];
      ways[way].push(await run(round));
    }
} finally {
  scheduler.close();
  await agent.destroy();
  await master.stop();
  await dockerd.stop();
}

const at = (numbers: readonly number[], part: number): number =>
  [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length * part)] ?? Number.NaN;
const beside = at(ways["docker exec"] ?? [], 0.5);
console.log("milliseconds to the first byte      median    p95   of docker exec's");
for (const [way, times] of Object.entries(ways)) {
  const [median, late] = [at(times, 0.5), at(times, 0.95)];
  const figures = [
    median.toFixed(1).padStart(8),
    late.toFixed(1).padStart(7),
    (median / beside).toFixed(2).padStart(9),
  ];
  console.log(`${way.padEnd(34)}${figures.join("")}`);
}
