import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const JAR = "/usr/share/java/zookeeper.jar";

/** Why no ensemble can be started here; undefined when one can. */
export function missingZooKeeper(): string | undefined {
  return existsSync(JAR) ? undefined : `${JAR} is not there (Debian: apt-get install zookeeper)`;
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

/** Real ZooKeeper servers on this machine, on ports and in a folder of their own. */
export class Ensemble {
  readonly ports: readonly number[];
  readonly #folder: string;
  readonly #servers: (ChildProcess | undefined)[];

  private constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder;
    this.ports = ports;
    this.#servers = ports.map(() => undefined);
  }

  /** Lays out `size` servers without starting them. */
  static async create(size: number): Promise<Ensemble> {
    const folder = await mkdtemp(join(tmpdir(), "zookeeper-"));
    const ports = await freePorts(size * 3);
    const client = ports.slice(0, size);
    const members = client.map(
      (_port, index) => `server.${index + 1}=127.0.0.1:${ports[size + index]}:${ports[2 * size + index]}`,
    );
    for (const [index, port] of client.entries()) {
      const data = join(folder, `${index}`);
      await mkdir(data);
      await writeFile(join(data, "myid"), `${index + 1}\n`);
      const settings = [
        "tickTime=500",
        "initLimit=40",
        "syncLimit=10",
        `dataDir=${data}`,
        `clientPort=${port}`,
        "admin.enableServer=false",
        "4lw.commands.whitelist=srvr",
        ...(size > 1 ? members : []),
      ];
      await writeFile(join(data, "zoo.cfg"), `${settings.join("\n")}\n`);
    }
    return new Ensemble(folder, client);
  }

  /** `127.0.0.1:1,127.0.0.1:2`. */
  get servers(): string {
    return this.ports.map((port) => `127.0.0.1:${port}`).join(",");
  }

  /** Starts one server; it may not serve before a majority runs. */
  start(index: number): void {
    const configuration = join(this.#folder, `${index}`, "zoo.cfg");
    const options = ["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    this.#servers[index] = spawn("java", [...options, "-cp", JAR, main, configuration], { stdio: "ignore" });
  }

  /** Starts those that do not run and waits until every one serves. */
  async startAll(): Promise<void> {
    for (const index of this.ports.keys()) if (this.#servers[index] === undefined) this.start(index);
    for (const [index, port] of this.ports.entries()) {
      while (!(await serves(port))) {
        // One whose port was taken in between has ended: it tries again.
        if (this.#servers[index]?.exitCode !== null) this.start(index);
        await pause(200);
      }
    }
  }

  /** Runs one command with ZooKeeper's own command line; resolves to what it printed. Rejects when it failed. */
  async commandLine(...command: readonly string[]): Promise<string> {
    const main = "org.apache.zookeeper.ZooKeeperMain";
    const options = ["-Dzookeeper.log.threshold=ERROR", "-cp", JAR, main, "-server", this.servers];
    const { stdout } = await promisify(execFile)("java", [...options, ...command]);
    return stdout;
  }

  signal(index: number, signal: NodeJS.Signals): void {
    this.#servers[index]?.kill(signal);
  }

  /** Kills one server, without a goodbye. */
  async kill(index: number): Promise<void> {
    const server = this.#servers[index];
    this.#servers[index] = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await gone;
  }

  /** Ends everything and removes the folder. */
  async close(): Promise<void> {
    await Promise.all(this.ports.map((_port, index) => this.kill(index)));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a server answers requests, which it does only as part of a majority. */
function serves(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end("srvr"));
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(text.includes("Mode:")));
    socket.setTimeout(1_000, () => socket.destroy());
  });
}
