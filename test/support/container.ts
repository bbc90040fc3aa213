import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { layOut } from "../../src/init/layout.ts";
import { buildAll } from "../../tools/build.ts";

const packageFolder = resolve(import.meta.dirname, "../..");

/** Why the container's stand-in cannot run here, if it cannot. */
export function whyNoSupervisord(): string | undefined {
  const found = spawnSync("supervisord", ["--version"], { encoding: "utf8" });
  return found.status === 0 ? undefined : "supervisord is not installed (apt-get install supervisor)";
}

/** Whether init.sh can be PID 1 of a namespace of its own here. */
export const canBePid1 = (): boolean =>
  process.getuid?.() === 0 && spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0;

/** The image's file system below a temporary folder, with these programs bundled as in the image. */
export async function makeRoot(programs: readonly string[] = ["init", "redpill"]): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "node-"));
  layOut({ packageFolder, root, node: process.execPath });
  rmSync(join(root, "opt/mesos-slave/source"), { force: true });
  await buildAll(join(root, "opt/mesos-slave/dist"), { sourcemap: false, only: programs });
  return root;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One life of a container: init.sh as PID 1 of its own PID namespace where that is possible, or as a plain process. */
export class Container {
  output = "";
  readonly root: string;
  readonly ended: Promise<Ended>;
  /** The end of init.sh itself, whether or not its output has been read. */
  readonly exited: Promise<Ended>;
  readonly #reader: ChildProcess;
  readonly #child: ChildProcess;
  readonly #namespace: boolean;
  #waiting: { pattern: RegExp; done: () => void }[] = [];

  constructor(root: string, environment: Readonly<Record<string, string>>, options: { readonly pid1?: boolean } = {}) {
    this.root = root;
    this.#namespace = options.pid1 ?? false;
    const init = join(root, "init.sh");
    const words = this.#namespace ? ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", init] : [init];
    // Node's own pipes are sockets, which cannot be opened as /dev/fd/1; in a container they are pipes. So: a FIFO.
    const fifo = join(root, "console");
    rmSync(fifo, { force: true });
    spawnSync("mkfifo", [fifo]);
    const reader = spawn("cat", [fifo], { stdio: ["ignore", "pipe", "inherit"] });
    this.#reader = reader;
    reader.stdout.on("data", (chunk: Buffer) => this.#took(chunk.toString()));
    const writer = openSync(fifo, "w");
    this.#child = spawn(words[0] ?? "", words.slice(1), {
      detached: true,
      stdio: ["ignore", writer, writer],
      env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", ...environment },
    });
    closeSync(writer);
    this.exited = new Promise((done) => this.#child.once("exit", (code, signal) => done({ code, signal })));
    const drained = new Promise<void>((done) => reader.once("close", () => done()));
    this.ended = new Promise((done) =>
      this.#child.once("exit", (code, signal) => {
        // The last lines, or not: what outlives init.sh may hold the pipe.
        const patience = setTimeout(() => reader.kill("SIGKILL"), 1000);
        void drained.then(() => {
          clearTimeout(patience);
          done({ code, signal });
        });
      }),
    );
  }

  #took(text: string): void {
    this.output += text;
    this.#waiting = this.#waiting.filter(({ pattern, done }) => {
      if (!pattern.test(this.output)) return true;
      done();
      return false;
    });
  }

  /** From here on nobody reads the console, as when a log driver hangs. */
  pauseReading(): void {
    this.#reader.kill("SIGSTOP");
  }

  resumeReading(): void {
    this.#reader.kill("SIGCONT");
  }

  /** Resolves once the output matches; rejects when the container ends before. */
  async says(pattern: RegExp): Promise<void> {
    if (pattern.test(this.output)) return;
    const seen = new Promise<true>((done) => this.#waiting.push({ pattern, done: () => done(true) }));
    const end = this.ended.then(() => pattern.test(this.output));
    if (!(await Promise.race([seen, end])))
      throw new Error(`the container ended without saying ${pattern}:\n${this.output}`);
  }

  /** The process that runs init.sh, as this namespace sees it. */
  get pid(): number {
    const outer = this.#child.pid ?? 0;
    return this.#namespace ? (childrenOf(outer)[0] ?? 0) : outer;
  }

  /** What `docker stop` does. */
  stop(signal: NodeJS.Signals = "SIGTERM"): void {
    if (this.pid > 0) process.kill(this.pid, signal);
  }

  /** supervisord's pid. */
  get supervisord(): number {
    return childrenOf(this.pid).find((pid) => commandLine(pid).includes("supervisord")) ?? 0;
  }

  control(...words: string[]): { readonly status: number | null; readonly stdout: string } {
    const file = join(this.root, "etc/supervisor/supervisord.conf");
    return spawnSync("supervisorctl", ["-c", file, ...words], { encoding: "utf8" });
  }

  /** After a test: nothing stays. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.stop("SIGTERM");
      const timer = setTimeout(() => this.stop("SIGKILL"), 9000);
      await this.ended;
      clearTimeout(timer);
    }
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** The environment of a process, byte for byte. */
export function environmentOf(pid: number): Map<string, Buffer> {
  const data = readFileSync(`/proc/${pid}/environ`);
  const variables = new Map<string, Buffer>();
  for (let start = 0; start < data.length; ) {
    const end = data.indexOf(0, start);
    const at = data.indexOf("=", start);
    variables.set(data.subarray(start, at).toString(), data.subarray(at + 1, end));
    start = end + 1;
  }
  return variables;
}

/** Descendants of `pid` that ended and that nobody has waited for. */
export function zombiesBelow(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => {
    const state = /^State:\s+(\S)/m.exec(readFileSyncOrEmpty(`/proc/${child}/status`))?.[1];
    return [...(state === "Z" ? [child] : []), ...zombiesBelow(child)];
  });
}

function readFileSyncOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
