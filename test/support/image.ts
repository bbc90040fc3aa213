import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { sleep, systemClock } from "../../src/base/clock.ts";

const packageFolder = resolve(import.meta.dirname, "../..");
const BASE = "mesos-slave-test/base:12";
const BUILD_BASE = "mesos-slave-test/build:12";
export const IMAGE = "mesos-slave";

const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** Why the image cannot be built here, if it cannot. */
export function whyNoImage(): string | undefined {
  if (process.getuid?.() !== 0) return "a dockerd of our own needs root";
  for (const program of ["dockerd", "docker", "debootstrap", "npm"])
    if (!has(program)) return `${program} is not installed (apt-get install docker.io debootstrap)`;
  return undefined;
}

/** A docker command that can build with BuildKit: one before 23, or one with buildx beside it. */
export function buildKitClient(): string | undefined {
  return ["docker", "/usr/bin/docker"].find((client) => {
    const { status, stdout } = spawnSync(client, ["version", "-f", "{{.Client.Version}}"], { encoding: "utf8" });
    if (Number.parseInt(stdout ?? "", 10) < 23) return true;
    return status !== null && spawnSync(client, ["buildx", "version"]).status === 0;
  });
}

/**
 * A dockerd of the tests' own, without a network of its own. Its layers stay in a cache folder (MESOS_SLAVE_TEST_CACHE), so
 * that only the first run has to make base images.
 */
export class ImageDocker {
  readonly socket: string;
  readonly folder: string;
  #pid = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.socket = join(folder, "docker.sock");
  }

  static async start(): Promise<ImageDocker> {
    const docker = new ImageDocker(mkdtempSync(join(tmpdir(), "image-")));
    const data = process.env["MESOS_SLAVE_TEST_CACHE"] ?? join(homedir(), ".cache/mesos-slave-test/docker");
    mkdirSync(data, { recursive: true });
    const log = openSync(join(docker.folder, "dockerd.log"), "a");
    const words = ["--data-root", data, "--exec-root", join(docker.folder, "exec"), "-H", `unix://${docker.socket}`];
    const child = spawn(
      "dockerd",
      [...words, "--pidfile", join(docker.folder, "pid"), "--iptables=false", "--bridge=none"],
      {
        stdio: ["ignore", log, log],
        detached: true,
      },
    );
    docker.#pid = child.pid ?? 0;
    for (let attempt = 0; docker.run(["version"]).status !== 0; attempt++) {
      if (attempt > 600) throw new Error(readFileSync(join(docker.folder, "dockerd.log"), "utf8").slice(-2000));
      await sleep(systemClock, 100);
    }
    return docker;
  }

  run(words: readonly string[], options: { readonly timeout?: number; readonly input?: string } = {}) {
    return spawnSync("docker", ["-H", `unix://${this.socket}`, ...words], {
      encoding: "utf8",
      maxBuffer: 64 << 20,
      env: { ...process.env, DOCKER_BUILDKIT: "0" },
      ...options,
    });
  }

  /** The command's output; throws when it fails. */
  docker(...words: string[]): string {
    const { status, stdout, stderr } = this.run(words);
    if (status !== 0) throw new Error(`docker ${words.join(" ")}: ${stdout.slice(-3000)}${stderr.slice(-3000)}`);
    return stdout.trim();
  }

  /** The same, without holding this process up. */
  async later(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("docker", ["-H", `unix://${this.socket}`, ...words]);
    return stdout.trim();
  }

  /** stdout and stderr of a container. */
  logs(name: string): string {
    const { stdout, stderr } = this.run(["logs", name]);
    return stdout + stderr;
  }

  async stop(): Promise<void> {
    const ids = this.docker("ps", "-aq").split("\n").filter(Boolean);
    if (ids.length > 0) this.run(["rm", "-f", ...ids]);
    process.kill(this.#pid, "SIGTERM");
    while (existsSync(join(this.folder, "pid"))) await sleep(systemClock, 50);
    // Containers with the host's network leave their namespace mounted.
    spawnSync("sh", [
      "-c",
      'for m in $(grep -o " $1/[^ ]*" /proc/mounts | sort -r); do umount -l "$m"; done',
      "sh",
      this.folder,
    ]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Builds the image from this checkout; the bases from a registry where there is one, else by debootstrap. */
  build({ client, tag = IMAGE }: { readonly client?: string | undefined; readonly tag?: string } = {}): void {
    this.#ensureBase();
    this.#ensureBuildBase();
    const bases = ["--build-arg", `BASE=${BASE}`, "--build-arg", `BUILD_BASE=${BUILD_BASE}`];
    const words = ["build", "--network", "host", ...bases, "-t", tag, packageFolder];
    if (client === undefined) return void this.docker(...words);
    execFileSync(client, ["-H", `unix://${this.socket}`, ...words], {
      stdio: "pipe",
      env: { ...process.env, DOCKER_BUILDKIT: "1" },
    });
  }

  #exists(image: string): boolean {
    return this.run(["image", "inspect", image]).status === 0;
  }

  #ensureBase(): void {
    if (this.#exists(BASE)) return;
    if (this.run(["pull", "debian:bookworm-slim"], { timeout: 20_000 }).status === 0)
      return void this.docker("tag", "debian:bookworm-slim", BASE);
    const root = join(this.folder, "rootfs");
    execFileSync("debootstrap", ["--variant=minbase", "bookworm", root], { stdio: "ignore" });
    for (const path of [
      "var/cache/apt/archives",
      "var/lib/apt/lists",
      "usr/share/doc",
      "usr/share/man",
      "usr/share/locale",
    ])
      rmSync(join(root, path), { recursive: true, force: true });
    mkdirSync(join(root, "var/cache/apt/archives/partial"), { recursive: true });
    mkdirSync(join(root, "var/lib/apt/lists/partial"), { recursive: true });
    execFileSync("sh", ["-c", `tar c -C "$1" . | docker -H "unix://$2" import - ${BASE}`, "sh", root, this.socket]);
    rmSync(root, { recursive: true, force: true });
  }

  /** The base, this machine's npm and certificate authorities, and our Node. */
  #ensureBuildBase(): void {
    if (this.#exists(BUILD_BASE)) return;
    const context = join(this.folder, "context");
    mkdirSync(context, { recursive: true });
    const npm = execFileSync("sh", ["-c", 'readlink -f "$(command -v npm)"'], { encoding: "utf8" }).trim();
    cpSync(dirname(dirname(npm)), join(context, "npm"), { recursive: true });
    cpSync(realpathSync(process.execPath), join(context, "node"));
    const authorities = "/etc/ssl/certs/ca-certificates.crt";
    writeFileSync(join(context, "ca.crt"), existsSync(authorities) ? readFileSync(authorities) : "");
    writeFileSync(
      join(context, "Dockerfile"),
      `FROM ${BASE}\nCOPY node /usr/bin/node\nCOPY npm /usr/lib/node_modules/npm\nCOPY ca.crt /etc/test-ca.crt\n` +
        "ENV NODE_EXTRA_CA_CERTS=/etc/test-ca.crt\n" +
        "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/bin/npx\n",
    );
    this.docker("build", "-t", BUILD_BASE, context);
    rmSync(context, { recursive: true, force: true });
  }
}
