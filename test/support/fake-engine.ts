import { readStats } from "../../src/docker/answers.ts";
import type { ContainerDetails, Engine } from "../../src/docker/engine.ts";
import { EngineError } from "../../src/docker/errors.ts";

/** A daemon with containers that only exist here: nothing runs, and what happens to them is not announced. */
export class FakeEngine {
  readonly containers = new Map<string, ContainerDetails>();
  /** Bytes that containers wrote into their own layers. */
  readonly layers = new Map<string, number>();
  /** How often somebody asked for those. */
  layerLooks = 0;
  /** Calls that change something: `kill one SIGTERM`, `remove one`. */
  readonly asked: string[] = [];

  /** Adds a running container with these labels. */
  add(id: string, labels: Readonly<Record<string, string>>): void {
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
    };
    this.containers.set(id, {
      id,
      name: id,
      image: "sha256:0",
      createdAt: "2026-01-01T00:00:00Z",
      state,
      labels,
      tty: false,
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
      kill: async (id: string, signal: string) => void this.asked.push(`kill ${id} ${signal}`),
      remove: async (id: string) => {
        this.asked.push(`remove ${id}`);
        this.containers.delete(id);
      },
      logs: async (_id: string, { signal }: { signal?: AbortSignal }) => silence(signal),
      events: async (signal: AbortSignal) => silence(signal),
    };
    return new Proxy(known as unknown as Engine, {
      get: (target, name) =>
        Reflect.get(target, name) ?? (() => Promise.reject(new Error(`${String(name)} is not faked`))),
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
