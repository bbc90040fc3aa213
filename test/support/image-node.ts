import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort } from "./free-port.ts";
import { buildKitClient, IMAGE, ImageDocker, whyNoImage } from "./image.ts";
import { Program } from "./program.ts";

/** The image, built, a dockerd for it, and a master: what a container named `node` needs. */
export class ImageNode {
  readonly docker: ImageDocker;
  readonly folder: string;
  readonly masterPort: number;
  /** Of the agent in the next container. */
  port: number;
  readonly #master: Program;

  private constructor(docker: ImageDocker, master: Program, masterPort: number, port: number) {
    this.docker = docker;
    this.folder = mkdtempSync(join(tmpdir(), "image-node-"));
    this.#master = master;
    this.masterPort = masterPort;
    this.port = port;
  }

  static async start(): Promise<ImageNode> {
    const docker = await ImageDocker.start();
    // Newer Docker is on its way to having no other builder.
    docker.build({ client: process.env["MESOS_SLAVE_TEST_BUILDER"] === "buildkit" ? buildKitClient() : undefined });
    const masterPort = await freePort();
    const master = new Program("mesos-local-master", ["--ip=127.0.0.1", `--port=${masterPort}`]);
    await master.printed("Serving at");
    return new ImageNode(docker, master, masterPort, await freePort());
  }

  /** After a test: no container, and another port for the next one. */
  async clear(): Promise<void> {
    this.docker.run(["rm", "-f", "node"]);
    this.port = await freePort();
  }

  async close(): Promise<void> {
    await this.#master.stop();
    await this.docker.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** seed.md's example run command, with reachable addresses in place of its own. */
  documented(environment: string, ...more: string[]): string[] {
    const [work, sandbox] = [join(this.folder, `workdir-${this.port}`), join(this.folder, "sandbox")];
    mkdirSync(work, { recursive: true });
    mkdirSync(sandbox, { recursive: true });
    return [
      ...["run", "-d", "--name", "node", "--net=host", "--cap-add=SYS_ADMIN"],
      ...["-e", `ENVIRONMENT=${environment}`, "-e", "PARENT_HOST=the-host", "-e", "MESOS_IP=127.0.0.1"],
      ...["-e", `MESOS_MASTER=127.0.0.1:${this.masterPort}`, "-e", "MESOS_REGISTRATION_TIMEOUT=5min"],
      ...["-e", "MESOS_HOSTNAME=127.0.0.1", "-e", `MESOS_DOCKER_SANDBOX_DIRECTORY=${sandbox}`],
      ...["-e", `MESOS_WORKDIR=${work}`, "-e", `MESOS_PORT=${this.port}`],
      ...["-v", `${work}:${work}:rw`, "-v", `${sandbox}:${sandbox}:rw`, "-v", "/sys:/sys:ro"],
      ...["-v", "/usr/bin/docker:/usr/bin/docker:ro", "-v", `${this.docker.socket}:/var/run/docker.sock:rw`],
      ...more,
      IMAGE,
    ];
  }

  /** Starts the container with the documented command. */
  run(environment: string, ...more: string[]): void {
    this.docker.docker(...this.documented(environment, ...more));
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
    for (let left = seconds * 10; !(await holds()); left--) {
      if (left === 0) throw new Error(`not within ${seconds} s: ${what}\n${this.docker.logs("node").slice(-4000)}`);
      await sleep(systemClock, 100);
    }
  }

  /** Waits until the agent answers. */
  async answers(): Promise<void> {
    await this.until("the agent answers", async () => {
      try {
        return (await fetch(`http://127.0.0.1:${this.port}/health`)).ok;
      } catch {
        return false;
      }
    });
  }

  /** Output of a command in the container. */
  inside(words: string): string {
    return this.docker.docker("exec", "node", "sh", "-c", words);
  }

  stop(): { readonly milliseconds: number; readonly code: number } {
    const since = systemClock.monotonic();
    this.docker.docker("stop", "node");
    const milliseconds = systemClock.monotonic() - since;
    return { milliseconds, code: Number(this.docker.docker("inspect", "-f", "{{.State.ExitCode}}", "node")) };
  }
}

/** The image's node while the tests of a file run. Call it at the top of the file. */
export function useImageNode(): { readonly node: ImageNode } {
  const missing = whyNoImage();
  let started: ImageNode | undefined;
  beforeAll(async () => {
    if (missing === undefined) started = await ImageNode.start();
    else if (process.env["CI"]) throw new Error(missing);
  }, 1_200_000);
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });
  afterEach(() => started?.clear());
  afterAll(() => started?.close(), 60_000);
  return {
    get node() {
      if (started === undefined) throw new Error("the image's node is there while tests run");
      return started;
    },
  };
}
