import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { newWorkDir, until } from "../support/dockerd-containerizer.ts";
import { freePort } from "../support/free-port.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const program = resolve(import.meta.dirname, "../../src/main/mesos-slave.ts");

describe("an agent that is itself a container", () => {
  let dockerd: TestDockerd;
  let master: LocalMaster;
  let workDir: string;
  let port: number;

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    master = new LocalMaster({ port: 0 });
    await master.start();
    workDir = await newWorkDir();
    port = await freePort();
    await mkdir(join(workDir, "work"));
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await master.stop();
    await dockerd.stop();
    await rm(workDir, { recursive: true, force: true });
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });

  /** As the image is run: host's network, work_dir at the same path, the socket; the program from the host's files. */
  const startAgent = () =>
    dockerd.docker(
      ...["run", "-d", "--name", "mesos-slave", "--net", "host", "-v", "/:/host"],
      ...["box:1", "chroot", "/host", process.execPath, program, `--master=${master.address}`],
      ...["--ip=127.0.0.1", "--hostname=127.0.0.1", `--port=${port}`, `--work_dir=${join(workDir, "work")}`],
      ...[`--runtime_dir=${join(workDir, "run")}`, "--containerizers=docker", `--docker_socket=${dockerd.socket}`],
      ...["--resources=cpus:100;mem:100000;ports:[31000-32000]", "--registration_backoff_factor=50ms"],
      ...["--docker_remove_delay=1secs", "--docker_stop_timeout=5secs"],
    );
  const tasks = async (): Promise<Map<string, string>> => {
    const format = '{{.ID}} {{.Label "org.apache.mesos.task-id"}}';
    const list = await dockerd.docker(
      "ps",
      "--no-trunc",
      "--filter",
      "label=org.apache.mesos.task-id",
      "--format",
      format,
    );
    const found = new Map<string, string>();
    for (const line of list.split("\n").filter((one) => one !== "")) {
      const [id = "", taskId = ""] = line.split(" ");
      found.set(taskId, `${id} ${await dockerd.docker("inspect", "-f", "{{.State.StartedAt}} {{.RestartCount}}", id)}`);
    }
    return found;
  };

  it("is removed and started anew, and its 20 tasks run on", async () => {
    await startAgent();
    const scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    try {
      await scheduler.subscribe();
      const container = { type: 1, docker: { image: "box:1" } };
      const script = "trap 'exit 0' TERM; echo up; while :; do sleep 0.2; done";
      const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
      await scheduler.launch(names.map((name) => commandTask(name, script, { container })));
      const running = (name: string): boolean => scheduler.statesOf(name).includes(TaskState.TASK_RUNNING);
      await until("20 tasks", () => names.every(running), 60_000);
      const before = await tasks();
      expect(before.size).toBe(20);

      await dockerd.docker("rm", "-f", "mesos-slave");
      const ending = before.get("t19")?.split(" ")[0] ?? "";
      await dockerd.docker("kill", "-s", "TERM", ending);
      await until("the end of one in the meantime", async () => !(await tasks()).has("t19"));
      await startAgent();
      await until("what ended in the meantime", () => scheduler.terminalOf("t19") !== undefined, 30_000);
      expect(scheduler.terminalOf("t19")?.state).toBe(TaskState.TASK_FINISHED);

      before.delete("t19");
      expect(await tasks()).toEqual(before);
      await scheduler.kill("t0");
      await until("the kill", () => scheduler.terminalOf("t0") !== undefined);
      expect(scheduler.terminalOf("t0")?.state).toBe(TaskState.TASK_KILLED);
      before.delete("t0");
      expect(await tasks()).toEqual(before);
      expect(names.filter((name) => scheduler.terminalOf(name) !== undefined).sort()).toEqual(["t0", "t19"]);
    } catch (error) {
      const log = await dockerd.logs("mesos-slave").catch(() => "");
      throw new Error(`${String(error)}\n${scheduler.describe()}\n${log.slice(-3000)}`, { cause: error });
    } finally {
      scheduler.close();
    }
  });
});
