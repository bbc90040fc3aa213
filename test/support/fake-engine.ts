import { type Duplex, duplexPair } from "node:stream";
import { readStats } from "../../src/docker/answers.ts";
import type { CreateRequest } from "../../src/docker/create-request.ts";
import type {
  ContainerDetails,
  ContainerState,
  Engine,
  ExecState,
  InteractiveExec,
  TerminalSize,
} from "../../src/docker/engine.ts";
import { EngineError } from "../../src/docker/errors.ts";

/** A command that was started inside: the daemon's end of it. */
export interface FakeExec {
  readonly container: string;
  readonly request: InteractiveExec;
  /** What the process reads and says, as the daemon frames it. */
  readonly wire: Duplex;
  state: ExecState;
}

/** A write of a process as the daemon frames it. */
export function framed(stream: "stdout" | "stderr", text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream === "stdout" ? 1 : 2;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** A daemon with containers that only exist here: nothing runs, and what happens to them is not announced. */
export class FakeEngine {
  readonly containers = new Map<string, ContainerDetails>();
  /** Bytes that containers wrote into their own layers. */
  readonly layers = new Map<string, number>();
  /** How often somebody asked for those. */
  layerLooks = 0;
  /** Images that are there, by name. */
  readonly images = new Set<string>();
  /** Every call, by name, in order. */
  readonly calls: string[] = [];
  /** Calls that change something: `kill one SIGTERM`, `remove one`. */
  readonly asked: string[] = [];
  /** By their ids: `exec-0`, `exec-1`, … */
  readonly execs = new Map<string, FakeExec>();
  /** Both ends of connections with containers' own processes. */
  readonly attached: { readonly id: string; readonly direction: string; readonly wire: Duplex; connection: Duplex }[] =
    [];
  /** Those of execs that somebody was given. */
  readonly connections: Duplex[] = [];
  /** What is said instead of starting, looking at and attaching. */
  refusal: EngineError | undefined;
  /** What execs are when they begin. */
  execState: ExecState = { running: true, exitCode: undefined, pid: 77 };

  /** Adds a container with these labels, which runs unless `other` says what else it does. */
  add(id: string, labels: Readonly<Record<string, string>>, other: Partial<ContainerState> = {}): void {
    const state = {
      status: "running",
      running: true,
      restarting: false,
      oomKilled: false,
      pid: 4242,
      exitCode: 0,
      error: "",
      startedAt: "2026-01-01T00:00:00Z",
      finishedAt: undefined,
      ...other,
    };
    this.containers.set(id, {
      id,
      name: id,
      image: "sha256:0",
      createdAt: "2026-01-01T00:00:00Z",
      state,
      labels,
      tty: false,
      readsInput: false,
      stopSignal: undefined,
      networkMode: "host",
      memory: 0,
      memorySwap: 0,
      cpuShares: 0,
      cpuQuota: 0,
      mounts: [],
      addresses: { ipv4: undefined, ipv6: undefined },
      raw: "{}",
    });
  }

  end(id: string, exitCode: number): void {
    const details = this.containers.get(id);
    if (details === undefined) throw new Error(`no container ${id}`);
    const finishedAt = "2026-01-01T00:01:00Z";
    const state = { ...details.state, status: "exited", running: false, pid: undefined, exitCode, finishedAt };
    this.containers.set(id, { ...details, state });
  }

  /** The process of an exec has ended, and with it its connection. */
  endExec(id: string, exitCode: number): void {
    const exec = this.execs.get(id);
    if (exec === undefined) throw new Error(`no exec ${id}`);
    exec.state = { ...exec.state, running: false, exitCode };
    exec.wire.end();
    // What it did not read is gone.
    exec.wire.resume();
  }

  /** What a containerizer sees. Calls that these tests have no use for reject. */
  get engine(): Engine {
    const known = {
      endpoint: "fake",
      ping: async () => undefined,
      close: async () => undefined,
      inspect: async (id: string) => {
        const details = this.containers.get(id);
        if (details === undefined) throw new EngineError("refused", `no container ${id}`, { status: 404 });
        return details;
      },
      create: async (name: string, { Image, Labels = {} }: CreateRequest) => {
        if (this.refusal !== undefined) throw this.refusal;
        if (!this.images.has(Image)) throw new EngineError("refused", `No such image: ${Image}`, { status: 404 });
        this.add(name, Labels, { status: "created", running: false, pid: undefined });
        return { id: name, warnings: [] };
      },
      start: async (id: string) => {
        const details = this.containers.get(id);
        if (details !== undefined) this.add(id, details.labels);
      },
      imageId: async (reference: string) => (this.images.has(reference) ? "sha256:0" : undefined),
      pull: async (reference: string) => {
        this.asked.push(`pull ${reference}`);
        this.refusal = undefined;
        this.images.add(reference);
      },
      pathExists: async () => true,
      stats: async () => readStats("{}"),
      layerBytes: async (id: string) => {
        this.layerLooks++;
        return this.layers.get(id) ?? 0;
      },
      list: async (labels: readonly string[] = []) =>
        [...this.containers.values()]
          .filter((one) => labels.every((label) => label.split("=")[1] === one.labels[label.split("=")[0] ?? ""]))
          .map((one) => ({
            id: one.id,
            names: [one.name],
            imageId: one.image,
            state: one.state.status,
            labels: one.labels,
          })),
      openExec: async (container: string, request: InteractiveExec) => {
        if (this.refusal !== undefined) throw this.refusal;
        const [connection, wire] = duplexPair({ allowHalfOpen: false });
        const id = `exec-${this.execs.size}`;
        this.connections.push(connection);
        this.execs.set(id, { container, request, wire, state: this.execState });
        return { id, connection };
      },
      execState: async (id: string) => {
        if (this.refusal !== undefined) throw this.refusal;
        return this.execs.get(id)?.state;
      },
      resizeExec: async (id: string, { rows, columns }: TerminalSize) =>
        void this.asked.push(`resize ${id} ${rows} ${columns}`),
      resize: async (id: string, { rows, columns }: TerminalSize) =>
        void this.asked.push(`resize ${id} ${rows} ${columns}`),
      exec: async (id: string, { argv, user }: { argv: readonly string[]; user?: string }) => {
        this.asked.push(`exec ${id} ${user} ${argv.slice(-3).join(" ")}`);
        return { exitCode: 0, pid: undefined };
      },
      connect: async (id: string, direction: string) => {
        if (this.refusal !== undefined) throw this.refusal;
        const [connection, wire] = duplexPair({ allowHalfOpen: false });
        this.attached.push({ id, direction, wire, connection });
        return connection;
      },
      kill: async (id: string, signal: string) => void this.asked.push(`kill ${id} ${signal}`),
      remove: async (id: string) => {
        this.asked.push(`remove ${id}`);
        this.containers.delete(id);
      },
      logs: async (_id: string, { signal }: { signal?: AbortSignal }) => silence(signal),
      events: async (signal: AbortSignal) => silence(signal),
    };
    return new Proxy(known as unknown as Engine, {
      get: (target, name) => {
        const call: unknown =
          Reflect.get(target, name) ?? (() => Promise.reject(new Error(`${String(name)} is not faked`)));
        if (typeof call !== "function") return call;
        return (...words: unknown[]) => {
          this.calls.push(String(name));
          return call(...words);
        };
      },
    });
  }
}

/** A stream that says nothing until it is given up. */
async function* silence(signal: AbortSignal | undefined): AsyncGenerator<never> {
  await new Promise<void>((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
