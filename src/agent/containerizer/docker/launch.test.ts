import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dockerSpec, type TaskWishes } from "../../../../test/support/dockerd-tasks.ts";
import { FakeEngine } from "../../../../test/support/fake-engine.ts";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { EngineError } from "../../../docker/errors.ts";
import { DockerContainerizer } from "./containerizer.ts";
import type { DockerContainerizerOptions } from "./options.ts";

let folder: string;
let daemon: FakeEngine;
let clock: TestClock;
let containerizer: DockerContainerizer;
const never = new AbortController().signal;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-"));
  daemon = new FakeEngine();
  daemon.images.add("box:1");
  clock = new TestClock();
  containerizer = await open();
});

afterEach(async () => {
  await containerizer.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<DockerContainerizerOptions> = {}): Promise<DockerContainerizer> {
  const opened = await DockerContainerizer.open({
    engine: daemon.engine,
    workDir: folder,
    stateDirectory: join(folder, "docker"),
    agent: { id: "S1" },
    clock,
    log: silentLogger,
    ...options,
  });
  await settle();
  return opened;
}

/** The calls of one launch. */
async function callsOf(wishes?: TaskWishes): Promise<string[]> {
  daemon.calls.length = 0;
  await containerizer.launch(await dockerSpec(folder, "true", wishes), never);
  return daemon.calls;
}

describe("a launch", () => {
  it("asks the daemon for nothing but what a task needs to run: what docker run -d does, its log and its description", async () => {
    // The first one looks whether the daemon sees the sandboxes.
    expect(await callsOf()).toEqual(["create", "pathExists", "start", "logs", "inspect"]);
    expect(await callsOf()).toEqual(["create", "start", "logs", "inspect"]);
    expect(daemon.asked).toEqual([]);
  });

  it("pulls an image that is not there, once the daemon says so, and one that is to be pulled first", async () => {
    const image = "other:2";
    expect((await callsOf({ docker: { image } })).slice(0, 4)).toEqual(["create", "imageId", "pull", "create"]);
    expect(daemon.asked).toEqual(["pull other:2"]);
    expect((await callsOf({ docker: { image, forcePullImage: true } })).slice(0, 2)).toEqual(["pull", "create"]);
  });

  it("takes an image that somebody else's pull brought just after the daemon said that it lacks it", async () => {
    const engine = new Proxy(daemon.engine, {
      get: (target, name) => {
        if (name !== "create") return Reflect.get(target, name);
        return (...request: Parameters<typeof target.create>) =>
          target.create(...request).finally(() => daemon.images.add("other:2"));
      },
    });
    for (const parameters of [[], [{ key: "pull", value: "never" }], [{ key: "platform", value: "linux/amd64" }]]) {
      daemon.images.delete("other:2");
      const late = await open({ engine });
      daemon.calls.length = 0;
      await late.launch(await dockerSpec(folder, "true", { docker: { image: "other:2", parameters } }), never);
      expect(daemon.calls.slice(0, 3)).toEqual(["create", "imageId", "create"]);
      await late.close();
    }
    expect(daemon.asked).toEqual([]);
  });

  it("pulls no image for something else that is missing, and says what that is", async () => {
    daemon.refusal = new EngineError("refused", "No such container: gone", { status: 404 });
    await expect(callsOf()).rejects.toThrow("No such container: gone");
    expect(daemon.asked).toEqual([]);
  });

  it("pulls the image again when what is there is of another platform, as the daemon alone can tell", async () => {
    daemon.refusal = new EngineError("refused", "does not match the specified platform", { status: 404 });
    const parameters = [{ key: "platform", value: "linux/arm64" }];
    await callsOf({ docker: { parameters } });
    expect(daemon.asked).toEqual(["pull box:1"]);
    daemon.refusal = new EngineError("refused", "does not match the specified platform", { status: 404 });
    const docker = { parameters: [...parameters, { key: "pull", value: "never" }] };
    await expect(callsOf({ docker })).rejects.toThrow("does not match the specified platform");
    expect(daemon.asked).toEqual(["pull box:1"]);
  });

  it("never pulls where that is asked for", async () => {
    const docker = { image: "other:2", parameters: [{ key: "pull", value: "never" }] };
    await expect(callsOf({ docker })).rejects.toThrow("image other:2 is not there, and pull is 'never'");
    expect(daemon.asked).toEqual([]);
  });

  it("counts as a use of its image, pulled for it or not: the longest unused goes first", async () => {
    const removed: string[] = [];
    const engine = new Proxy(daemon.engine, {
      get: (target, name) => {
        if (name === "images")
          return async () => [
            { id: "sha256:0", tags: ["other:2"], created: 1, bytes: 10 },
            { id: "sha256:1", tags: ["younger:1"], created: 2, bytes: 10 },
          ];
        if (name === "removeImage") return async (tag: string) => void removed.push(tag);
        return Reflect.get(target, name);
      },
    });
    const disk = async () => ({ free: 0, total: 10 });
    const imageCollection = { headroom: 1, interval: 60_000, excluded: [], dryRun: false, disk };
    const collecting = await open({ engine, imageCollection });
    await collecting.launch(await dockerSpec(folder, "true", { docker: { image: "other:2" } }), never);
    daemon.containers.clear();
    await clock.advance(60_000);
    expect(removed).toEqual(["younger:1"]);
    await collecting.close();
  });
});
