import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why a private registry cannot be started here; undefined when it can. */
export function registryMissing(): string | undefined {
  for (const program of ["docker-registry", "openssl", "htpasswd", "ip"]) {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    } catch {
      return `${program} is not installed (apt-get install docker-registry openssl apache2-utils iproute2)`;
    }
  }
  return undefined;
}

export const REGISTRY_USER = "reader";
export const REGISTRY_PASSWORD = "s3cret-word";

/**
 * Of TEST-NET-1, put on the loopback interface: Docker takes registries on 127.0.0.0/8 for insecure ones and falls back
 * to plain HTTP there, which hides the registry's own words.
 */
const ADDRESS = "192.0.2.1";

/** A docker-registry with basic authentication over TLS, reachable on this machine only. */
export class TestRegistry {
  readonly folder: string;
  readonly port: number;
  readonly #pid: number;

  private constructor(folder: string, port: number, pid: number) {
    this.folder = folder;
    this.port = port;
    this.#pid = pid;
  }

  get host(): string {
    return `${ADDRESS}:${this.port}`;
  }

  /** For SSL_CERT_FILE of those who are to trust it. */
  get certificate(): string {
    return join(this.folder, "cert.pem");
  }

  static async start(port: number): Promise<TestRegistry> {
    await run("ip", ["addr", "replace", `${ADDRESS}/32`, "dev", "lo"]);
    const folder = await mkdtemp(join(tmpdir(), "registry-"));
    const file = (name: string): string => join(folder, name);
    const subject = ["-subj", `/CN=${ADDRESS}`, "-addext", `subjectAltName=IP:${ADDRESS}`];
    const keys = ["-keyout", file("key.pem"), "-out", file("cert.pem")];
    await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...keys]);
    const { stdout } = await run("htpasswd", ["-Bbn", REGISTRY_USER, REGISTRY_PASSWORD]);
    await writeFile(file("htpasswd"), stdout);
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: file("data") } },
      http: { addr: `${ADDRESS}:${port}`, tls: { certificate: file("cert.pem"), key: file("key.pem") } },
      auth: { htpasswd: { realm: "test", path: file("htpasswd") } },
    };
    await writeFile(file("config.yml"), JSON.stringify(config));
    const log = file("registry.log");
    const script = 'exec docker-registry serve "$1" >"$0" 2>&1';
    const child = spawn("sh", ["-c", script, log, file("config.yml")], { stdio: "ignore", detached: true });
    child.unref();
    const registry = new TestRegistry(folder, port, child.pid ?? 0);
    for (let attempt = 0; !(await registry.#answers()); attempt++) {
      if (attempt > 1200) throw new Error(`the registry did not start: ${await readFile(log, "utf8")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return registry;
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const options = { host: ADDRESS, port: this.port, path: "/v2/", rejectUnauthorized: false };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode === 401);
      })
        .on("error", () => resolve(false))
        .end();
    });
  }

  async stop(): Promise<void> {
    try {
      process.kill(this.#pid, "SIGTERM");
    } catch {
      // It is gone.
    }
    await run("ip", ["addr", "del", `${ADDRESS}/32`, "dev", "lo"]);
    await rm(this.folder, { recursive: true, force: true });
  }
}
