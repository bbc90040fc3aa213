import { rm } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DockerContainerizer } from "../../src/agent/containerizer/docker/containerizer.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { CommandInfoSchema, ContainerInfo_Type, ContainerInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { newWorkDir, until } from "../support/dockerd-containerizer.ts";
import { podmanMissing, TestPodman } from "../support/dockerd-podman.ts";
import { dockerSpec, readOutput } from "../support/dockerd-tasks.ts";

const missing = podmanMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const never = new AbortController().signal;

describe("containers at Podman's Docker-compatible socket", () => {
  let podman: TestPodman;
  let workDir: string;
  beforeAll(async () => {
    if (missing !== undefined) return;
    podman = await TestPodman.start();
    workDir = await newWorkDir();
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await podman.stop();
    await rm(workDir, { recursive: true, force: true });
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });
  const open = () =>
    DockerContainerizer.open({
      engine: podman.engine(),
      workDir,
      stateDirectory: join(workDir, "docker"),
      agent: { id: "S1" },
      clock: systemClock,
      log: silentLogger,
    });

  /** A terminal in a container, which has its size, an exit, and no process left. */
  const session = async (containerizer: DockerContainerizer, id: string): Promise<void> => {
    const ttyInfo = { windowSize: { rows: 40, columns: 123 } };
    const opened = await containerizer.sessions.open({
      chain: [id, "session"],
      command: create(CommandInfoSchema, {
        value: "sleep 3000 & until stty size | grep 40; do sleep 0.1; done; read word; echo $word; exit 7",
      }),
      container: create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, ttyInfo }),
    });
    if (opened === "already") throw new Error("it is new");
    let text = "";
    opened.attach({
      data: (_stream, piece) => {
        text += piece;
        return undefined;
      },
      end: () => undefined,
      lost: () => undefined,
    });
    await until("the terminal's size", () => text.includes("40 123"));
    await opened.write(Buffer.from("typed\n"));
    expect(await opened.ended).toEqual({ status: 7 << 8 });
    expect(text).toContain("\ntyped\r\n");
    expect(await podman.docker("exec", `mesos-${id}`, "ps", "-o", "args")).not.toContain("sleep 3000");
    const wrong = { command: create(CommandInfoSchema, { shell: false, value: "no-such" }), container: undefined };
    await expect(containerizer.sessions.open({ chain: [id, "wrong"], ...wrong })).rejects.toThrow("not found");
  };

  it("run, tell their output and exit code, obey stop and kill, take commands, and are adopted", async () => {
    const first = await open();
    const short = await dockerSpec(workDir, "echo out; echo err >&2; test -d $MESOS_SANDBOX && exit 3");
    await first.launch(short, never);
    expect((await first.wait(short.containerId)).status).toBe(3 << 8);
    expect([await readOutput(short), await readOutput(short, "stderr")]).toEqual(["out\n", "err\n"]);

    const counting = await dockerSpec(workDir, "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); usleep 10000; done");
    const obedient = await dockerSpec(workDir, "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
    for (const spec of [counting, obedient]) await first.launch(spec, never);
    const failing = await dockerSpec(workDir, "exit 7");
    expect(await first.run(obedient.containerId, failing.command, 10_000)).toEqual({ exitCode: 7 });
    expect((await first.usage(obedient.containerId))?.timestamp).toBeGreaterThan(1e9);
    await session(first, obedient.containerId);
    // Of one that speaks for as long as it takes.
    const talking = await dockerSpec(workDir, "while :; do echo out; usleep 10000; done");
    await first.launch(talking, never);
    let heard = "";
    const attachment = await first.sessions.attachOutput([talking.containerId]);
    attachment?.attach({
      data: (_stream, piece) => {
        heard += piece;
        return undefined;
      },
      end: () => undefined,
      lost: () => undefined,
    });
    await until("what a container says", () => heard.startsWith("out\nout\n"));
    attachment?.leave();
    await first.destroy(talking.containerId);
    await first.wait(talking.containerId);
    await until("output", async () => (await readOutput(counting)).includes("\n20\n"));
    await first.close();

    const second = await open();
    const expected = [counting, obedient].map((spec) => ({ ...spec, pid: undefined }));
    const ids = new Set([counting.containerId, obedient.containerId]);
    expect(await second.recover(expected)).toEqual(ids);
    await second.stop(obedient.containerId, 30_000);
    expect((await second.wait(obedient.containerId)).status).toBe(0);
    expect(await readOutput(obedient)).toBe("ready\nbye\n");
    expect((await second.wait(counting.containerId)).status).toBe(0);
    expect(await readOutput(counting)).toBe(Array.from({ length: 300 }, (_, index) => `${index}\n`).join(""));

    const wrong = await dockerSpec(workDir, "true", { command: { shell: false, value: "/no/such/program" } });
    await expect(second.launch(wrong, never)).rejects.toThrow(/no such file or directory|executable file/i);
    await second.close();
  });
});
