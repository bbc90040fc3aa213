import { rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DockerContainerizer } from "../../src/agent/containerizer/docker/containerizer.ts";
import type { DockerContainerizerOptions } from "../../src/agent/containerizer/docker/options.ts";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HttpEngine } from "../../src/docker/http-engine.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { newWorkDir, openContainerizer, until } from "../support/dockerd-containerizer.ts";
import { dockerSpec, readOutput } from "../support/dockerd-tasks.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const never = new AbortController().signal;
const expected = (specs: readonly ContainerSpec[]) => specs.map((spec) => ({ ...spec, pid: undefined }));

/** A Unix socket before the daemon's that can stop answering. */
class HangingSocket {
  readonly path: string;
  #hangs = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, target: string) {
    this.path = path;
    this.#server = createServer((client) => {
      this.#keep(client);
      if (this.#hangs) return;
      const daemon = connect(target);
      this.#keep(daemon);
      client.pipe(daemon).pipe(client);
      for (const [one, other] of [
        [client, daemon],
        [daemon, client],
      ] as const)
        one.on("close", () => other.destroy());
    });
  }
  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
  }
  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve));
  }
  /** Nothing passes any more, and nothing is closed: what a stopped daemon looks like. */
  hang(): void {
    this.#hangs = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }
  heal(): void {
    this.#hangs = false;
    for (const socket of this.#sockets) socket.destroy();
  }
  close(): void {
    this.heal();
    this.#server.close();
  }
}

describe("containers over restarts", () => {
  let dockerd: TestDockerd;
  let workDir: string;
  const open: DockerContainerizer[] = [];

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start(["--live-restore"]);
    workDir = await newWorkDir();
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await dockerd.stop();
    await rm(workDir, { recursive: true, force: true });
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });
  afterEach(async () => {
    for (const containerizer of open.splice(0)) await containerizer.close();
    if (missing !== undefined) return;
    const ids = (await dockerd.docker("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await dockerd.docker("rm", "-f", ...ids);
  });

  const agent = async (options: Partial<DockerContainerizerOptions> = {}): Promise<DockerContainerizer> => {
    const containerizer = await openContainerizer(dockerd, workDir, options);
    open.push(containerizer);
    return containerizer;
  };
  const leave = async (containerizer: DockerContainerizer): Promise<void> => {
    open.splice(open.indexOf(containerizer), 1);
    await containerizer.close();
  };
  const start = async (containerizer: DockerContainerizer, script: string): Promise<ContainerSpec> => {
    const spec = await dockerSpec(workDir, script);
    await containerizer.launch(spec, never);
    return spec;
  };
  const numbers = (count: number): string => Array.from({ length: count }, (_, index) => `${index}\n`).join("");
  const counting = (count: number): string =>
    `i=0; while [ $i -lt ${count} ]; do echo $i; i=$((i+1)); usleep 2000; done`;

  it("adopts what runs, tells the exit code of what ended meanwhile, goes on with logs and the kill timer", async () => {
    const before = await agent();
    const talker = await start(before, counting(1500));
    const short = await start(before, "sleep 0.3; echo done; exit 5");
    const deaf = await start(before, "trap '' TERM; echo ready; while :; do sleep 0.1; done");
    await until("ready", async () => (await readOutput(deaf)) === "ready\n");
    await before.stop(deaf.containerId, 2_000);
    await until("the first lines", async () => (await readOutput(talker)).includes("\n50\n"));
    await leave(before);
    await until(
      "the end of the short one",
      async () => (await dockerd.docker("ps", "-q", "--filter", `name=${short.containerId}`)) === "",
    );
    for (let restart = 0; restart < 3; restart++) {
      const between = await agent();
      await between.recover(expected([talker, short, deaf]));
      await until("more lines", async () => (await readOutput(talker)).includes(`\n${200 + 150 * restart}\n`));
      await leave(between);
    }
    const after = await agent();
    const found = await after.recover(expected([talker, short, deaf]));
    expect(found).toEqual(new Set([talker, short, deaf].map(({ containerId }) => containerId)));
    expect((await after.wait(short.containerId)).status).toBe(5 << 8);
    expect((await after.wait(deaf.containerId)).status).toBe(137 << 8);
    expect((await after.wait(talker.containerId)).status).toBe(0);
    expect(await readOutput(talker)).toBe(numbers(1500));
    expect(await readOutput(short)).toBe("done\n");
  });

  it("keeps the memory limit that was ordered over a restart, whatever its tasks have then", async () => {
    const before = await agent();
    const spec = await start(before, "sleep 1000");
    const memory = async () =>
      Number(await dockerd.docker("inspect", "--format={{.HostConfig.Memory}}", `mesos-${spec.containerId}`)) /
      (1 << 20);
    expect(await before.limitMemory(spec.containerId, 48 << 20)).toBe(true);
    await leave(before);
    const after = await agent();
    await after.recover(expected([spec]));
    expect(await memory()).toBe(48);
    const wider = await dockerSpec(workDir, "", { mem: 512 });
    await after.update(spec.containerId, wider.resources, {});
    expect(await memory()).toBe(48);
  });

  it("ends its own orphans and touches nobody else's, whatever their names", async () => {
    const before = await agent();
    const orphan = await start(before, "sleep 1000");
    const kept = await start(before, "sleep 1000");
    const uuid = "00000000-1111-2222-3333-444444444444";
    const sleeper = ["box:1", "sleep", "1000"];
    await dockerd.docker("run", "-d", "--name", `mesos-${uuid}`, ...sleeper);
    await dockerd.docker("run", "-d", "--name", "mesos-slave", ...sleeper);
    const elsewhere = await newWorkDir();
    const neighbour = await openContainerizer(dockerd, elsewhere);
    open.push(neighbour);
    const foreign = await dockerSpec(elsewhere, "sleep 1000");
    await neighbour.launch(foreign, never);
    // As a C++ agent of the same work_dir left it.
    const legacy = await dockerSpec(workDir, "");
    const legacyMount = `${legacy.sandbox}:/mnt/mesos/sandbox`;
    await dockerd.docker("run", "-d", "--name", `mesos-S1.${legacy.containerId}`, "-v", legacyMount, ...sleeper);
    const adopted = await dockerSpec(workDir, "");
    const adoptedMount = `${adopted.sandbox}:/mnt/mesos/sandbox`;
    await dockerd.docker(
      "run",
      "-d",
      "--name",
      `mesos-${adopted.containerId}`,
      "-v",
      adoptedMount,
      "box:1",
      "sh",
      "-c",
      "until [ -e /mnt/mesos/sandbox/end ]; do sleep 0.1; done; exit 4",
    );
    await leave(before);
    const after = await agent();
    expect(await after.recover(expected([kept, adopted]))).toEqual(new Set([kept.containerId, adopted.containerId]));
    const names = (await dockerd.docker("ps", "--format", "{{.Names}}")).split("\n").sort();
    expect(names).toEqual(
      [
        "mesos-slave",
        `mesos-${uuid}`,
        `mesos-${kept.containerId}`,
        `mesos-${foreign.containerId}`,
        `mesos-${adopted.containerId}`,
      ].sort(),
    );
    expect(names).not.toContain(`mesos-${orphan.containerId}`);
    await writeFile(join(adopted.sandbox, "end"), "");
    expect((await after.wait(adopted.containerId)).status).toBe(4 << 8);
    await rm(elsewhere, { recursive: true, force: true });
  });

  it("removes dead containers after the delay, also those of an agent before", async () => {
    const before = await agent();
    const spec = await start(before, "true");
    await before.wait(spec.containerId);
    await leave(before);
    const after = await agent({ removeDelay: 500 });
    await after.recover([]);
    const next = await start(after, "exit 1");
    await after.wait(next.containerId);
    await until("the removal", async () => (await dockerd.docker("ps", "-aq", "--filter", "name=mesos-")) === "");
  });

  it("tells what was removed by somebody else from what ended", async () => {
    const containerizer = await agent();
    const spec = await start(containerizer, "echo here; sleep 1000");
    await until("output", async () => (await readOutput(spec)) === "here\n");
    await dockerd.docker("rm", "-f", `mesos-${spec.containerId}`);
    const end = await containerizer.wait(spec.containerId);
    // Whether the death or the removal is seen first is the daemon's matter.
    expect([137 << 8, undefined]).toContain(end.status);
  });

  it("loses none of 50 tasks when dockerd is killed and comes back with live-restore", async () => {
    const containerizer = await agent();
    const specs = await Promise.all(
      Array.from({ length: 50 }, () => dockerSpec(workDir, `${counting(20)}; sleep 1000`)),
    );
    for (let at = 0; at < 50; at += 10) {
      await Promise.all(specs.slice(at, at + 10).map((spec) => containerizer.launch(spec, never)));
    }
    const talker = await start(containerizer, counting(1500));
    let ended = 0;
    for (const { containerId } of specs) void containerizer.wait(containerId).then(() => ended++);
    await dockerd.kill();
    await until("the trouble", () => containerizer.trouble() !== undefined);
    expect(containerizer.trouble()).toMatch(/Docker daemon|connection/);
    await dockerd.launch();
    await until("healing", () => containerizer.trouble() === undefined);
    expect((await containerizer.wait(talker.containerId)).status).toBe(0);
    expect(await readOutput(talker)).toBe(numbers(1500));
    expect(ended).toBe(0);
    expect((await dockerd.docker("ps", "-q")).split("\n")).toHaveLength(50);
    await dockerd.docker("exec", `mesos-${specs[0]?.containerId}`, "kill", "-9", "-1").catch(() => undefined);
    await containerizer.destroy(specs[1]?.containerId ?? "");
    expect((await containerizer.wait(specs[1]?.containerId ?? "")).status).toBe(137 << 8);
  });

  it("keeps its word before a daemon that hangs: calls end, kills are made up for", async () => {
    const proxy = new HangingSocket(join(dockerd.folder, "hanging.sock"), dockerd.socket);
    await proxy.listen();
    try {
      // As long as the daemon answers, it may take its time.
      let deadlines = { quick: 20_000, slow: 60_000 };
      const patience = {
        get quick() {
          return deadlines.quick;
        },
        get slow() {
          return deadlines.slow;
        },
      };
      const engine = () => new HttpEngine({ kind: "unix", path: proxy.path }, systemClock, patience);
      const containerizer = await agent({ engine: engine() });
      const spec = await start(containerizer, "sleep 1000");
      proxy.hang();
      deadlines = { quick: 700, slow: 1_500 };
      await containerizer.destroy(spec.containerId);
      await expect(containerizer.usage(spec.containerId)).rejects.toThrow(/did not answer GET .*stats within 0.7 s/);
      expect((await containerizer.status(spec.containerId)).containerId?.value).toBe(spec.containerId);
      const late = await dockerSpec(workDir, "true");
      await expect(containerizer.launch(late, never)).rejects.toThrow(/did not answer/);
      await until("the trouble", () => /did not answer GET \/_ping/.test(containerizer.trouble() ?? ""));
      const restarted = await agent({ engine: engine() });
      expect(await restarted.recover(expected([spec]))).toEqual(new Set([spec.containerId]));
      deadlines = { quick: 20_000, slow: 60_000 };
      proxy.heal();
      expect((await containerizer.wait(spec.containerId)).status).toBe(137 << 8);
      expect((await restarted.wait(spec.containerId)).status).toBe(137 << 8);
    } finally {
      proxy.close();
    }
  });
});

describe("containers when dockerd dies without live-restore", () => {
  it("reports the true end of each", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    const dockerd = await TestDockerd.start();
    const workDir = await newWorkDir();
    const containerizer = await openContainerizer(dockerd, workDir);
    try {
      const specs = await Promise.all(Array.from({ length: 5 }, () => dockerSpec(workDir, "sleep 1000")));
      for (const spec of specs) await containerizer.launch(spec, never);
      await dockerd.kill();
      await dockerd.launch();
      for (const { containerId } of specs) {
        const code = await dockerd.docker("inspect", "-f", "{{.State.ExitCode}}", `mesos-${containerId}`);
        const end = await containerizer.wait(containerId);
        expect(end.status).toBe(Number(code) << 8);
        expect(Number(code)).not.toBe(0);
      }
    } finally {
      await containerizer.close();
      await dockerd.stop();
      await rm(workDir, { recursive: true, force: true });
    }
  });
});
