import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { HttpEngine } from "../../src/docker/http-engine.ts";

const run = promisify(execFile);
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Why a real dockerd cannot be started here; undefined when it can. */
export function dockerdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "dockerd needs root";
  for (const program of ["dockerd", "containerd", "busybox", "ip"]) {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    } catch {
      return `${program} is not installed (apt-get install docker.io busybox-static iproute2)`;
    }
  }
  return undefined;
}

/** A dockerd of the tests' own: socket, data, pid file and containerd below one folder. */
export class TestDockerd {
  readonly folder: string;
  readonly socket: string;
  readonly #options: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  /** A bridge of its own: docker0 belongs to whatever other daemon runs here. */
  readonly #bridge = `md${process.pid}`.slice(0, 15);
  #pid: number | undefined;
  #containerd: number | undefined;

  private constructor(folder: string, options: readonly string[], environment: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.socket = join(folder, "docker.sock");
    this.#options = options;
    this.#environment = environment;
  }

  /** Starts one with the image `box:1`, a busybox. */
  static async start(
    options: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<TestDockerd> {
    const dockerd = new TestDockerd(await mkdtemp(join(tmpdir(), "dockerd-")), options, environment);
    try {
      await dockerd.#addBridge();
      await dockerd.#startContainerd();
      await dockerd.launch();
      await dockerd.#importBusybox();
    } catch (error) {
      const log = await readFile(join(dockerd.folder, "dockerd.log"), "utf8").catch(() => "");
      await dockerd.stop();
      throw new Error(`dockerd did not start: ${log.slice(-2000)}`, { cause: error });
    }
    return dockerd;
  }

  get pid(): number {
    if (this.#pid === undefined) throw new Error("dockerd does not run");
    return this.#pid;
  }

  async #addBridge(): Promise<void> {
    await run("ip", ["link", "del", this.#bridge]).catch(() => undefined);
    await run("ip", ["link", "add", this.#bridge, "type", "bridge"]);
    // A network of its own: the bridge of a run that was killed must not take this one's packets.
    const network = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;
    await run("ip", ["addr", "add", `${network}.1/24`, "dev", this.#bridge]);
    await run("ip", ["link", "set", this.#bridge, "up"]);
  }

  /** A containerd beside the daemon, as distributions have it: it outlives a killed dockerd. */
  async #startContainerd(): Promise<void> {
    const file = (name: string): string => join(this.folder, name);
    await writeFile(file("containerd.toml"), 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
    const places = ["--root", file("containerd"), "--state", file("containerd-state")];
    const words = ["--config", file("containerd.toml"), "--address", file("containerd.sock"), ...places];
    this.#containerd = background("containerd", words, file("containerd.log"));
    for (let attempt = 0; !existsSync(file("containerd.sock")); attempt++) {
      if (attempt > 1200)
        throw new Error(`containerd did not start: ${await readFile(file("containerd.log"), "utf8")}`);
      await sleep(50);
    }
  }

  /** Starts the daemon (again) and waits until it answers. */
  async launch(): Promise<void> {
    const file = (name: string): string => join(this.folder, name);
    // A daemon that was killed leaves its pid file behind.
    await rm(file("docker.pid"), { force: true });
    const log = file("dockerd.log");
    const words = [
      ...["-H", `unix://${this.socket}`, "--data-root", file("data"), "--exec-root", file("exec")],
      ...["--containerd", file("containerd.sock"), "--bridge", this.#bridge],
      ...["--pidfile", file("docker.pid"), ...this.#options],
    ];
    this.#pid = background("dockerd", words, log, this.#environment);
    const engine = this.engine();
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          await engine.ping();
          return;
        } catch (error) {
          if (attempt > 600) throw error;
          await sleep(100);
        }
      }
    } finally {
      await engine.close();
    }
  }

  /** A client of its own; close it. */
  engine(): HttpEngine {
    return new HttpEngine({ kind: "unix", path: this.socket }, systemClock);
  }

  /** The docker command against this daemon; standard output. */
  async docker(...words: string[]): Promise<string> {
    const { stdout } = await run("docker", ["-H", `unix://${this.socket}`, ...words], { maxBuffer: 64 << 20 });
    return stdout.trim();
  }

  /** Both outputs of a container, as text. */
  async logs(name: string): Promise<string> {
    const { stdout, stderr } = await run("docker", ["-H", `unix://${this.socket}`, "logs", name]);
    return stdout + stderr;
  }

  /** SIGKILL: containers and containerd stay. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = this.#pid;
    this.#pid = undefined;
    if (pid !== undefined) await endProcess(pid, signal);
  }

  /** Removes all containers, ends daemon and containerd, removes the folder. */
  async stop(): Promise<void> {
    if (this.#pid !== undefined) {
      const ids = (await this.docker("ps", "-aq").catch(() => "")).split("\n").filter((id) => id !== "");
      if (ids.length > 0) await this.docker("rm", "-f", ...ids).catch(() => undefined);
      await this.#end("SIGTERM");
    }
    if (this.#containerd !== undefined) await endProcess(this.#containerd, "SIGTERM");
    await run("sh", [
      "-c",
      'for m in $(grep -o " $1/[^ ]*" /proc/mounts | sort -r); do umount -l "$m"; done',
      "sh",
      this.folder,
    ]).catch(() => undefined);
    await run("ip", ["link", "del", this.#bridge]).catch(() => undefined);
    // The daemon leaves its rules about the bridge behind.
    await run("sh", [
      "-c",
      'for t in nat filter; do iptables -t $t -S | grep -w -- "$1" | sed "s/^-A/-D/" | while read -r rule; do iptables -t $t $rule; done; done',
      "sh",
      this.#bridge,
    ]).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #importBusybox(): Promise<void> {
    const root = join(this.folder, "busybox");
    for (const name of ["bin", "etc", "tmp"]) await mkdir(join(root, name), { recursive: true });
    await copyFile((await run("sh", ["-c", "command -v busybox"])).stdout.trim(), join(root, "bin/busybox"));
    const applets = (await run("busybox", ["--list"])).stdout.trim().split("\n");
    for (const applet of applets) {
      if (applet !== "busybox" && !existsSync(join(root, "bin", applet)))
        await symlink("busybox", join(root, "bin", applet));
    }
    await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
    const archive = join(this.folder, "busybox.tar");
    await run("tar", ["-C", root, "-cf", archive, "."]);
    await this.docker("import", archive, "box:1");
  }
}

/** Starts a program that outlives nothing but this test; its output goes to `log`. */
function background(
  program: string,
  words: readonly string[],
  log: string,
  environment: Readonly<Record<string, string>> = {},
): number | undefined {
  const child = spawn("sh", ["-c", `exec ${program} "$@" >>"$0" 2>&1`, log, ...words], {
    stdio: "ignore",
    detached: true,
    env: { ...process.env, ...environment },
  });
  child.unref();
  return child.pid;
}

/** Sends `signal` and waits for the end; after 15 s SIGKILL. */
async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    process.kill(pid, signal);
    for (let attempt = 0; attempt < 300; attempt++) {
      process.kill(pid, 0);
      await sleep(50);
    }
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone.
  }
}
