import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DockerContainerizer } from "../../src/agent/containerizer/docker/containerizer.ts";
import {
  ContainerInfo_DockerInfo_Network as Network,
  TaskState,
  TaskStatus_Reason,
  Volume_Mode,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { newWorkDir, openContainerizer, until } from "../support/dockerd-containerizer.ts";
import { dockerSpec, readOutput, type TaskWishes } from "../support/dockerd-tasks.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const never = new AbortController().signal;

describe("containers at a real dockerd", () => {
  let dockerd: TestDockerd;
  let workDir: string;
  let containerizer: DockerContainerizer;

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    workDir = await newWorkDir();
    containerizer = await openContainerizer(dockerd, workDir, { cfs: true });
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await containerizer.close();
    await dockerd.stop();
    await rm(workDir, { recursive: true, force: true });
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });

  const run = async (script: string, wishes: TaskWishes = {}) => {
    const spec = await dockerSpec(workDir, script, wishes);
    const started = await containerizer.launch(spec, never);
    return { spec, started };
  };
  const finish = async (script: string, wishes: TaskWishes = {}) => {
    const { spec, started } = await run(script, wishes);
    const end = await containerizer.wait(spec.containerId);
    return { spec, started, end, stdout: await readOutput(spec), stderr: await readOutput(spec, "stderr") };
  };

  it("runs a command, with its output complete and its exit code when wait resolves", async () => {
    const { end, stdout, stderr, started } = await finish(
      "for i in $(seq 1000); do echo $i; done; echo bad >&2; exit 3",
    );
    expect(end).toEqual({ status: 3 << 8, message: "Container exited with status 3" });
    expect(stdout).toBe(`${Array.from({ length: 1000 }, (_, index) => index + 1).join("\n")}\n`);
    expect(stderr).toBe("bad\n");
    const [inspect] = JSON.parse(new TextDecoder().decode(started.data));
    expect(inspect.Name).toMatch(/^\/mesos-/);
  });

  it("gives environment, sandbox, volumes, user, workdir and hostname as asked", async () => {
    const host = join(workDir, "elsewhere");
    await mkdir(host, { recursive: true });
    await writeFile(join(host, "greeting"), "hello");
    const script =
      "id -u; pwd; hostname; cat /data/greeting; echo; echo $COLOUR $MESOS_SANDBOX; touch /data/no || echo ro; echo x > /inside/file; echo y > $MESOS_SANDBOX/made; sleep 1";
    const { stdout, spec, started } = await finish(script, {
      environment: { COLOUR: "blue green" },
      container: {
        hostname: "named",
        volumes: [
          { containerPath: "/data", hostPath: host, mode: Volume_Mode.RO },
          { containerPath: "/inside", hostPath: "sub", mode: Volume_Mode.RW },
        ],
      },
      docker: {
        network: Network.BRIDGE,
        parameters: [
          { key: "workdir", value: "/tmp" },
          { key: "user", value: "0:0" },
        ],
      },
    });
    expect(stdout).toBe("0\n/tmp\nnamed\nhello\nblue green /mnt/mesos/sandbox\nro\n");
    expect(await readFile(join(spec.sandbox, "sub/file"), "utf8")).toBe("x\n");
    expect(await readFile(join(spec.sandbox, "made"), "utf8")).toBe("y\n");
    const address = started.status.networkInfos[0]?.ipAddresses[0]?.ipAddress;
    expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(started.labels).toEqual({ "Docker.NetworkSettings.IPAddress": address });
  });

  it("maps ports on the bridge, and refuses those that the task does not have", async () => {
    const { spec, started } = await run("mkdir -p /w && echo served > /w/index.html && exec httpd -f -p 80 -h /w", {
      docker: { network: Network.BRIDGE, portMappings: [{ hostPort: 31805, containerPort: 80, protocol: "tcp" }] },
      ports: [31805, 31805],
    });
    expect(started.status.networkInfos).toHaveLength(1);
    await until("the server", async () => {
      const answer = await fetch("http://127.0.0.1:31805/index.html").catch(() => undefined);
      return (await answer?.text()) === "served\n";
    });
    await containerizer.destroy(spec.containerId);
    await containerizer.wait(spec.containerId);
    const wrong = await dockerSpec(workDir, "true", {
      docker: { network: Network.BRIDGE, portMappings: [{ hostPort: 99, containerPort: 80 }] },
      ports: [31805, 31805],
    });
    await expect(containerizer.launch(wrong, never)).rejects.toMatchObject({
      state: TaskState.TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
      message: expect.stringContaining("Port [99] not included in resources"),
    });
  });

  it("limits memory and CPU, raises limits, reports usage and exhaustion", async () => {
    const { spec } = await run("sleep 1000", { cpus: 0.5, mem: 64 });
    const inspect = async () => JSON.parse(await dockerd.docker("inspect", `mesos-${spec.containerId}`))[0].HostConfig;
    expect(await inspect()).toMatchObject({ CpuShares: 512, CpuQuota: 50_000, Memory: 64 << 20 });
    const wider = await dockerSpec(workDir, "", { cpus: 1, mem: 128 });
    await containerizer.update(spec.containerId, wider.resources, {});
    expect(await inspect()).toMatchObject({ CpuShares: 1024, CpuQuota: 100_000, Memory: 128 << 20 });
    await containerizer.update(spec.containerId, spec.resources, {});
    expect(await inspect()).toMatchObject({ CpuShares: 512, Memory: 128 << 20 });
    const usage = await containerizer.usage(spec.containerId);
    expect(usage?.memRssBytes).toBeGreaterThan(0n);
    expect(usage?.memLimitBytes).toBe(64n << 20n);
    expect(usage?.timestamp).toBeGreaterThan(1e9);
    await containerizer.destroy(spec.containerId);
    const hungry = await finish("tail /dev/zero", {
      mem: 32,
      docker: { parameters: [{ key: "memory-swap", value: "32m" }] },
    });
    expect(hungry.end).toMatchObject({
      state: TaskState.TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: expect.stringContaining("32MB"),
    });
  });

  it("holds a container to the memory that is ordered, lower or higher, with swap as it was beside it", async () => {
    const inspect = async (id: string) => {
      const { HostConfig } = JSON.parse(await dockerd.docker("inspect", `mesos-${id}`))[0];
      return [HostConfig.Memory, HostConfig.MemorySwap].map((bytes) => (bytes > 0 ? bytes / (1 << 20) : bytes));
    };
    const swaps: readonly [string | undefined, number[], number[]][] = [
      [undefined, [64, 128], [256, 512]],
      ["1g", [64, 960], [256, 1152]],
      ["-1", [64, -1], [256, -1]],
    ];
    for (const [swap, lower, higher] of swaps) {
      const parameters = swap === undefined ? [] : [{ key: "memory-swap", value: swap }];
      const { spec } = await run("sleep 1000", { mem: 128, docker: { parameters } });
      const order = (megabytes: number) => containerizer.limitMemory(spec.containerId, megabytes << 20);
      expect([await order(64), await inspect(spec.containerId)]).toEqual([true, lower]);
      expect([await order(256), await inspect(spec.containerId)]).toEqual([true, higher]);
      expect((await containerizer.usage(spec.containerId))?.memLimitBytes).toBe(256n << 20n);
      const wider = await dockerSpec(workDir, "", { mem: 512 });
      await containerizer.update(spec.containerId, wider.resources, {});
      expect(await inspect(spec.containerId)).toEqual(higher);
      await containerizer.destroy(spec.containerId);
      await containerizer.wait(spec.containerId);
      expect(await order(64)).toBe(false);
    }
  });

  it("tells what a container has logged itself, by offsets", async () => {
    const { spec } = await run("echo hello; echo oh no >&2; seq 1 100000; echo last; sleep 1000");
    const size = 6 + 588_895 + 5;
    const read = async (offset: number, length: number) => {
      const wanted = { stdout: { offset, length }, stderr: { offset: 3, length } };
      const parts = await containerizer.ownLog(spec.containerId, wanted);
      return parts && [parts.stdout, parts.stderr].map((part) => [part.size, Buffer.from(part.data).toString()]);
    };
    await until("all of it", async () => (await read(0, 0))?.[0]?.[0] === size);
    expect(await read(0, 5)).toEqual([
      [size, "hello"],
      [6, "no\n"],
    ]);
    expect((await read(size - 5, 1_000))?.[0]).toEqual([size, "last\n"]);
    expect((await read(size, 1_000))?.[0]).toEqual([size, ""]);
    await containerizer.destroy(spec.containerId);
  });

  it("stops within the grace period what obeys, and kills what does not", async () => {
    const obedient = await run("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
    const deaf = await run("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    for (const { spec } of [obedient, deaf])
      await until("ready", async () => (await readOutput(spec)).includes("ready"));
    await containerizer.stop(obedient.spec.containerId, 30_000);
    expect((await containerizer.wait(obedient.spec.containerId)).status).toBe(0);
    expect(await readOutput(obedient.spec)).toBe("ready\nbye\n");
    await containerizer.stop(deaf.spec.containerId, 60_000);
    await containerizer.stop(deaf.spec.containerId, 200);
    expect((await containerizer.wait(deaf.spec.containerId)).status).toBe(137 << 8);
  });

  it("runs commands inside, with exit codes, environment and a limit of time", async () => {
    const { spec } = await run("sleep 1000", { environment: { FROM_TASK: "1" } });
    const { command } = await dockerSpec(workDir, 'test "$FROM_TASK$EXTRA" = 12', {
      command: { environment: { variables: [{ name: "EXTRA", value: "2" }] } },
    });
    expect(await containerizer.run(spec.containerId, command, 60_000)).toEqual({ exitCode: 0 });
    const failing = await dockerSpec(workDir, "exit 7");
    expect(await containerizer.run(spec.containerId, failing.command, 60_000)).toEqual({ exitCode: 7 });
    const slow = await dockerSpec(workDir, "sleep 977");
    await expect(containerizer.run(spec.containerId, slow.command, 300)).rejects.toThrow("did not end within 0.3 s");
    await until("the command's end", async () => {
      return !(await dockerd.docker("top", `mesos-${spec.containerId}`)).includes("sleep 977");
    });
    await containerizer.destroy(spec.containerId);
  });

  it("says the daemon's own words when a container cannot start, and leaves nothing behind", async () => {
    const cases: [TaskWishes, RegExp][] = [
      [
        { docker: { image: "127.0.0.1:9/none:1" } },
        /Failed to pull image '127\.0\.0\.1:9\/none:1': .*connection refused/,
      ],
      [{ command: { shell: false, value: "/no/such/program" } }, /no such file or directory/],
      [
        { docker: { parameters: [{ key: "frobnicate", value: "1" }] } },
        /docker parameter 'frobnicate' is not an option/,
      ],
      [{ docker: { parameters: [{ key: "ulimit", value: "nofile=x" }] } }, /docker parameter 'ulimit'/],
      [{ docker: { parameters: [{ key: "network", value: "nowhere" }] } }, /network nowhere not found/],
    ];
    for (const [wishes, words] of cases) {
      const spec = await dockerSpec(workDir, "true", wishes);
      const refused = containerizer.launch(spec, never);
      await expect(refused).rejects.toMatchObject({
        state: TaskState.TASK_FAILED,
        message: expect.stringMatching(words),
      });
      expect(await dockerd.docker("ps", "-aq", "--filter", `name=${spec.containerId}`)).toBe("");
    }
  });

  it("takes the image's own command, a terminal, and an output that no log driver keeps", async () => {
    await dockerd.docker("import", "-c", 'CMD ["echo","from the image"]', join(dockerd.folder, "busybox.tar"), "own:1");
    const own = await finish("", { docker: { image: "own:1" }, command: { shell: false, value: undefined } as never });
    expect(own.stdout).toBe("from the image\n");
    const terminal = await finish("echo on a tty; test -t 1 && echo yes", {
      docker: { parameters: [{ key: "tty", value: "true" }] },
    });
    expect(terminal.stdout).toBe("on a tty\r\nyes\r\n");
    const unlogged = await finish("echo kept nowhere; sleep 0.2; echo end", {
      docker: { parameters: [{ key: "log-driver", value: "none" }] },
    });
    expect(unlogged.stdout).toBe("kept nowhere\nend\n");
  });

  it("brings long lines and binary output through unchanged", async () => {
    const { stdout, end } = await finish("head -c 300000 /dev/zero | tr '\\0' x; printf '\\001\\377'; echo; seq 20000");
    expect(end.status).toBe(0);
    expect(stdout.length).toBe(300_000 + 3 + Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join("").length);
    expect(stdout.startsWith("x".repeat(300_000))).toBe(true);
    expect(stdout.endsWith("19999\n20000\n")).toBe(true);
  });

  it("runs a custom executor as the container's process, on the host's network", async () => {
    const { stdout, spec, started } = await finish("echo $MESOS_EXECUTOR_ID; ls /sys/class/net | wc -l", {
      executor: true,
      environment: { MESOS_EXECUTOR_ID: "t1" },
    });
    expect(stdout.split("\n")[0]).toBe("t1");
    expect(started.status.networkInfos).toEqual([]);
    expect(await dockerd.docker("inspect", "-f", "{{.HostConfig.NetworkMode}}", `mesos-${spec.containerId}`)).toBe(
      "host",
    );
  });

  it("ends a container that writes more than its disk, wherever it writes", async () => {
    const own = await newWorkDir();
    const watching = await openContainerizer(dockerd, own, { diskQuota: { interval: 100, enforce: true } });
    try {
      const write = (where: string) => `head -c 8000000 /dev/zero > ${where}`;
      const script = `${write("/in-its-layer")}; ${write("$MESOS_SANDBOX/file")}; exec sleep 600`;
      const environment = { MESOS_SANDBOX: "/mnt/mesos/sandbox" };
      const spec = await dockerSpec(own, script, { environment, disk: 10 });
      await watching.launch(spec, never);
      const { reason, state, message } = await watching.wait(spec.containerId);
      expect([state, reason]).toEqual([TaskState.TASK_FAILED, TaskStatus_Reason.CONTAINER_LIMITATION_DISK]);
      expect(message).toMatch(/^Disk usage \(1\d+[KM]?B\) exceeds quota \(10MB\)$/);
    } finally {
      await watching.close();
      await rm(own, { recursive: true, force: true });
    }
  });

  it("says which mount is missing when the daemon sees another work_dir, and starts nothing", async () => {
    // In a mount namespace of its own there are other files below the same path, as in an agent's container without the mount.
    const script = 'mount -t tmpfs none "$1" && exec "$0" "$2" "$3" "$1"';
    const program = resolve(import.meta.dirname, "../support/unseen-launch.ts");
    const words = ["-m", "--propagation", "private", "sh", "-c", script, process.execPath];
    const { stdout } = await promisify(execFile)("unshare", [...words, workDir, program, dockerd.socket]);
    const { containerId, error, trouble } = JSON.parse(stdout) as Record<string, string>;
    expect(error).toMatch(/does not see the sandboxes.*-v .*docker-work/);
    expect(trouble).toMatch(/does not see the sandboxes/);
    expect(await dockerd.docker("ps", "-aq", "--filter", `name=${containerId}`)).toBe("");
  });

  it("ends a launch that is killed on its way", async () => {
    // A registry that takes connections and never answers.
    const asked = Promise.withResolvers<void>();
    const registry = createServer(() => asked.resolve()).listen(0, "127.0.0.1");
    await once(registry, "listening");
    const image = `127.0.0.1:${(registry.address() as AddressInfo).port}/never:1`;
    const spec = await dockerSpec(workDir, "true", { docker: { image } });
    const slow = await openContainerizer(dockerd, workDir);
    const launched = slow.launch(spec, never);
    await asked.promise;
    await slow.destroy(spec.containerId);
    await expect(launched).rejects.toMatchObject({
      state: TaskState.TASK_KILLED,
      message: "Container destroyed while pulling image",
    });
    await slow.close();
    registry.close();
  });
});
