import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { HttpEngine } from "../../src/docker/http-engine.ts";

const run = promisify(execFile);

/** Why Podman cannot be tried here; undefined when it can. */
export function podmanMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "Podman's system service needs root";
  for (const program of ["podman", "busybox", "docker"]) {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    } catch {
      return `${program} is not installed (apt-get install podman busybox-static docker.io)`;
    }
  }
  return undefined;
}

/** Podman's Docker-compatible service with storage of its own, and the image `box:1`. */
export class TestPodman {
  readonly folder: string;
  readonly socket: string;
  readonly #pid: number;

  private constructor(folder: string, pid: number) {
    this.folder = folder;
    this.socket = join(folder, "podman.sock");
    this.#pid = pid;
  }

  static async start(): Promise<TestPodman> {
    const folder = await mkdtemp(join(tmpdir(), "podman-"));
    const file = (name: string): string => join(folder, name);
    const places = ["--root", file("root"), "--runroot", file("run"), "--tmpdir", file("tmp")];
    const choices = ["--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "file"];
    const service = ["--storage-driver", "vfs", "system", "service", "--time=0", `unix://${file("podman.sock")}`];
    const words = [file("log"), ...places, ...choices, ...service];
    // Podman raises limits to its own taste, which a machine may not allow.
    await writeFile(
      file("containers.conf"),
      '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
    );
    const child = spawn("sh", ["-c", 'exec podman "$@" >"$0" 2>&1', ...words], {
      stdio: "ignore",
      detached: true,
      env: { ...process.env, CONTAINERS_CONF: file("containers.conf") },
    });
    child.unref();
    const podman = new TestPodman(folder, child.pid ?? 0);
    for (let attempt = 0; !existsSync(podman.socket); attempt++) {
      if (attempt > 1200) throw new Error(`Podman did not start: ${readFileSync(file("log"), "utf8")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const root = file("busybox");
    const script =
      'mkdir -p "$0/bin" "$0/tmp" && cp "$(command -v busybox)" "$0/bin/" && busybox --install -s "$0/bin"';
    await run("sh", [
      "-c",
      `${script}; cd "$0/bin" && for one in *; do [ "$one" = busybox ] || ln -sf busybox "$one"; done`,
      root,
    ]);
    await run("tar", ["-C", root, "-cf", file("box.tar"), "."]);
    await run("docker", ["-H", `unix://${podman.socket}`, "import", file("box.tar"), "box:1"]);
    return podman;
  }

  engine(): HttpEngine {
    return new HttpEngine({ kind: "unix", path: this.socket }, systemClock);
  }

  async docker(...words: string[]): Promise<string> {
    const { stdout } = await run("docker", ["-H", `unix://${this.socket}`, ...words], { maxBuffer: 64 << 20 });
    return stdout.trim();
  }

  async stop(): Promise<void> {
    const ids = (await this.docker("ps", "-aq").catch(() => "")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.docker("rm", "-f", ...ids).catch(() => undefined);
    try {
      process.kill(this.#pid, "SIGTERM");
    } catch {
      // It is gone.
    }
    for (const pid of monitorsOf(this.folder)) process.kill(pid, "SIGTERM");
    const unmount = 'for m in $(grep -o " $0/[^ ]*" /proc/mounts | sort -r); do umount -l "$m"; done';
    await run("sh", ["-c", unmount, this.folder]).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Podman's monitors of `folder`, which stay for minutes after an exec. The folder on their command line makes them ours. */
function monitorsOf(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words[0]?.endsWith("/conmon") === true && words.some((word) => word.startsWith(`${folder}/`));
      } catch {
        return false;
      }
    })
    .map(Number);
}
