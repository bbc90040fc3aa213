import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import {
  readCreated,
  readDetails,
  readEvent,
  readExec,
  readId,
  readImages,
  readInfo,
  readLayerBytes,
  readStats,
  readSummaries,
  readVersion,
} from "./answers.ts";
import { compareApi, negotiateApi } from "./api-version.ts";
import type { CreateRequest } from "./create-request.ts";
import type { EngineEndpoint } from "./endpoint.ts";
import type * as E from "./engine.ts";
import { imagePath, segment } from "./engine-path.ts";
import { EngineError, isEngineError, isNotFound } from "./errors.ts";
import { consoleSize, execBody } from "./exec-body.ts";
import { lines } from "./json-lines.ts";
import { demultiplex, type LogFrame } from "./log-frames.ts";
import { PullLedger } from "./pull-stream.ts";
import { requestForApi } from "./request-for-api.ts";
import { type CallOptions, Transport, type TransportCounters } from "./transport.ts";

/** Milliseconds that calls may take. */
export interface Deadlines {
  /** ping, version, inspect, list, kill and everything else that a healthy daemon answers at once. */
  readonly quick: number;
  /** create, start, remove, update: work on disks and networks. */
  readonly slow: number;
}

const defaultDeadlines: Deadlines = { quick: 10_000, slow: 60_000 };

/** Engine over HTTP, on a Unix socket or TCP. The API version is negotiated on the first call and after a break. */
export class HttpEngine implements E.Engine {
  readonly endpoint: string;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  #version: Promise<E.EngineVersion> | undefined;

  constructor(endpoint: EngineEndpoint, clock: Clock, deadlines: Deadlines = defaultDeadlines) {
    this.#transport = new Transport(endpoint, clock);
    this.endpoint = this.#transport.endpoint;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  get counters(): Readonly<TransportCounters> {
    return this.#transport.counters;
  }

  async ping(): Promise<void> {
    await this.#transport.call("GET", "/_ping", { deadline: this.#deadlines.quick, limit: 65_536 });
  }

  version(): Promise<E.EngineVersion> {
    if (this.#version === undefined) {
      const asked = this.#askVersion();
      this.#version = asked;
      asked.catch(() => {
        if (this.#version === asked) this.#version = undefined;
      });
    }
    return this.#version;
  }

  async #askVersion(): Promise<E.EngineVersion> {
    const { text } = await this.#transport.call("GET", "/version", { deadline: this.#deadlines.quick });
    const { Version, ApiVersion, MinAPIVersion, Os, Arch } = readVersion(text);
    return { version: Version, api: negotiateApi(ApiVersion, MinAPIVersion ?? undefined), os: Os, architecture: Arch };
  }

  async info(): Promise<E.EngineInfo> {
    return readInfo(await this.#get("/info"));
  }

  async create(
    name: string,
    request: CreateRequest,
    platform?: string,
  ): Promise<{ id: string; warnings: readonly string[] }> {
    const { api } = await this.version();
    const body = requestForApi(request, api);
    const query = { name, platform: compareApi(api, "1.41") >= 0 ? platform : undefined };
    const { Id, Warnings } = readCreated(await this.#post("/containers/create", { query, body, ...this.#slow }));
    return { id: Id, warnings: Warnings };
  }

  async start(id: string): Promise<void> {
    await this.#post(`/containers/${segment(id)}/start`, this.#slow);
  }

  async inspect(idOrName: string): Promise<E.ContainerDetails> {
    return readDetails(await this.#get(`/containers/${segment(idOrName)}/json`));
  }

  async layerBytes(id: string): Promise<number> {
    return readLayerBytes(await this.#get(`/containers/${segment(id)}/json`, { query: { size: true }, ...this.#slow }));
  }

  async list(labels: readonly string[] = []): Promise<E.ContainerSummary[]> {
    const filters = JSON.stringify(labels.length === 0 ? {} : { label: labels });
    return readSummaries(await this.#get("/containers/json", { query: { all: true, filters }, limit: 64 << 20 }));
  }

  async kill(id: string, signal: string): Promise<void> {
    try {
      await this.#post(`/containers/${segment(id)}/kill`, { query: { signal } });
    } catch (error) {
      // 409: it does not run (500 before API 1.30); 404: it is gone.
      const words = error instanceof EngineError ? error.message : "";
      const over = isEngineError(error, "refused") && (error.status === 409 || / is not running/.test(words));
      if (!over && !isNotFound(error)) throw error;
    }
  }

  async remove(id: string, options: { readonly force?: boolean } = {}): Promise<void> {
    try {
      const query = { v: true, force: options.force === true };
      await this.#call("DELETE", `/containers/${segment(id)}`, { query, ...this.#slow });
    } catch (error) {
      const words = error instanceof EngineError ? error.message : "";
      if (!isNotFound(error) && !/is already in progress/.test(words)) throw error;
    }
  }

  async update(id: string, request: E.UpdateRequest): Promise<void> {
    await this.#post(`/containers/${segment(id)}/update`, { body: request, ...this.#slow });
  }

  async stats(id: string): Promise<E.ContainerStats> {
    // Without one-shot (API 1.41) the daemon takes a second sample, which needs 1 to 2 s.
    const query = { stream: false, "one-shot": true };
    return readStats(await this.#get(`/containers/${segment(id)}/stats`, { query }));
  }

  async pathExists(id: string, path: string): Promise<boolean> {
    try {
      await this.#call("HEAD", `/containers/${segment(id)}/archive`, { query: { path } });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async logs(id: string, options: E.LogOptions): Promise<AsyncGenerator<LogFrame[]>> {
    const { follow, timestamps, since, tty, signal } = options;
    const query = { stdout: true, stderr: true, follow, timestamps, since };
    const path = await this.#path(`/containers/${segment(id)}/logs`);
    // The daemon sends the head with the first line only (API before 1.42): no deadline when following.
    const deadline = follow ? Number.MAX_SAFE_INTEGER : this.#deadlines.slow;
    return this.#frames(path, "GET", { query, deadline, signal }, tty);
  }

  async attach(id: string, tty: boolean, signal: AbortSignal): Promise<AsyncGenerator<LogFrame[]>> {
    const query = { stream: true, logs: false, stdout: true, stderr: true };
    const path = await this.#path(`/containers/${segment(id)}/attach`);
    return this.#frames(path, "POST", { query, deadline: this.#deadlines.quick, signal }, tty);
  }

  async #frames(path: string, method: string, options: CallOptions, tty: boolean): Promise<AsyncGenerator<LogFrame[]>> {
    const stream = await this.#transport.stream(method, path, options);
    return this.#reading(path, tty ? raw(stream) : demultiplex(stream));
  }

  async exec(id: string, options: E.ExecOptions): Promise<{ exitCode: number | undefined; pid: number | undefined }> {
    const body = execBody(options, (await this.version()).api);
    const created = await this.#post(`/containers/${segment(id)}/exec`, { body, signal: options.signal });
    const exec = readId("exec create", created);
    const ended = await this.#runExec(exec, options);
    const { Running, ExitCode, Pid } = readExec(await this.#get(`/exec/${segment(exec)}/json`));
    const exitCode = Running || (!ended && ExitCode == null) ? undefined : (ExitCode ?? undefined);
    return { exitCode, pid: Pid > 0 ? Pid : undefined };
  }

  async openExec(id: string, request: E.InteractiveExec): Promise<{ id: string; connection: Duplex }> {
    const { api } = await this.version();
    const tty = request.terminal !== undefined;
    const body = { ...execBody(request, api), AttachStdin: true, Tty: tty };
    const exec = readId("exec create", await this.#post(`/containers/${segment(id)}/exec`, { body }));
    const start = { Detach: false, Tty: tty, ...consoleSize(request.terminal, api) };
    const path = await this.#path(`/exec/${segment(exec)}/start`);
    return { id: exec, connection: await this.#transport.connect(path, { body: start, ...this.#slow }) };
  }

  async execState(execId: string): Promise<E.ExecState> {
    const { Running, ExitCode, Pid } = readExec(await this.#get(`/exec/${segment(execId)}/json`));
    return {
      running: Running,
      exitCode: Running ? undefined : (ExitCode ?? undefined),
      pid: Pid > 0 ? Pid : undefined,
    };
  }

  async resizeExec(execId: string, { rows, columns }: E.TerminalSize): Promise<void> {
    await this.#post(`/exec/${segment(execId)}/resize`, { query: { h: rows, w: columns } });
  }

  async connect(id: string, direction: "input" | "output"): Promise<Duplex> {
    const isInput = direction === "input";
    const query = { stream: true, logs: false, stdin: isInput, stdout: !isInput, stderr: !isInput };
    const path = await this.#path(`/containers/${segment(id)}/attach`);
    return await this.#transport.connect(path, { query, deadline: this.#deadlines.quick });
  }

  async resize(id: string, { rows, columns }: E.TerminalSize): Promise<void> {
    await this.#post(`/containers/${segment(id)}/resize`, { query: { h: rows, w: columns } });
  }

  /** Starts an exec and drops its output until it ends; false when it did not within the timeout. */
  async #runExec(exec: string, options: E.ExecOptions): Promise<boolean> {
    const path = await this.#path(`/exec/${segment(exec)}/start`);
    const timeout = new AbortController();
    const timer = this.#clock.after(options.timeout, () => timeout.abort());
    const signal = options.signal === undefined ? timeout.signal : AbortSignal.any([timeout.signal, options.signal]);
    try {
      const body = { Detach: false, Tty: false };
      const deadline = Math.min(this.#deadlines.slow, options.timeout);
      const stream = await this.#transport.stream("POST", path, { body, deadline, signal });
      for await (const _ of stream);
      return true;
    } catch (error) {
      if (timeout.signal.aborted || isEngineError(error, "timeout")) return false;
      throw this.#broken(path, error);
    } finally {
      timer.cancel();
    }
  }

  async imageId(reference: string): Promise<string | undefined> {
    try {
      return readId("image inspect", await this.#get(`/images/${imagePath(reference)}/json`));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async images(): Promise<E.ImageSummary[]> {
    return readImages(await this.#get("/images/json", { limit: 64 << 20 }));
  }

  async pull(reference: string, options: E.PullOptions): Promise<void> {
    const path = await this.#path("/images/create");
    const stalled = new AbortController();
    const watch = (): { cancel(): void } => this.#clock.after(options.stall, () => stalled.abort());
    let timer = watch();
    const signal = options.signal === undefined ? stalled.signal : AbortSignal.any([stalled.signal, options.signal]);
    const ledger = new PullLedger();
    try {
      const query = { fromImage: reference, platform: options.platform };
      const headers = options.auth === undefined ? {} : { "x-registry-auth": options.auth };
      const stream = await this.#transport.stream("POST", path, { query, headers, deadline: options.stall, signal });
      for await (const line of lines(stream)) {
        timer.cancel();
        timer = watch();
        ledger.take(line);
        options.onProgress?.(ledger.progress);
      }
    } catch (error) {
      if (stalled.signal.aborted) throw new EngineError("timeout", `no progress for ${options.stall / 1000} s`);
      throw this.#broken(path, error);
    } finally {
      timer.cancel();
    }
  }

  async removeImage(id: string): Promise<void> {
    try {
      await this.#call("DELETE", `/images/${imagePath(id)}`, this.#slow);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async events(signal: AbortSignal, labels: readonly string[], since?: string): Promise<AsyncGenerator<E.EngineEvent>> {
    const filters = JSON.stringify({ type: ["container"], ...(labels.length === 0 ? {} : { label: labels }) });
    const path = await this.#path("/events");
    const options = { query: { filters, since }, deadline: this.#deadlines.quick, signal };
    const stream = await this.#transport.stream("GET", path, options);
    const engine = this;
    return (async function* () {
      for await (const line of engine.#reading(path, lines(stream))) yield readEvent(line);
    })();
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  get #slow(): { readonly deadline: number } {
    return { deadline: this.#deadlines.slow };
  }

  #get(path: string, options: Partial<CallOptions> = {}): Promise<string> {
    return this.#call("GET", path, options);
  }

  #post(path: string, options: Partial<CallOptions> = {}): Promise<string> {
    return this.#call("POST", path, options);
  }

  async #call(method: string, path: string, options: Partial<CallOptions>): Promise<string> {
    try {
      const full = { deadline: this.#deadlines.quick, ...options };
      return (await this.#transport.call(method, await this.#path(path), full)).text;
    } catch (error) {
      // A daemon that went away may come back as another version.
      const outdated = isEngineError(error, "refused") && /client version .* is too (new|old)/.test(error.message);
      if (isEngineError(error, "unreachable") || outdated) this.#version = undefined;
      throw error;
    }
  }

  async #path(path: string): Promise<string> {
    return `/v${(await this.version()).api}${path}`;
  }

  /** Breaks in the middle of a stream, as EngineErrors. */
  async *#reading<T>(path: string, source: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      yield* source;
    } catch (error) {
      throw this.#broken(path, error);
    }
  }

  #broken(path: string, error: unknown): EngineError {
    if (error instanceof EngineError) return error;
    if ((error as Error)?.name === "AbortError") return new EngineError("aborted", `${path}: given up`);
    this.#version = undefined;
    return new EngineError("unreachable", `the connection to the Docker daemon broke during ${path}`, { cause: error });
  }
}

/** A terminal's output is not multiplexed: all of it is stdout. */
async function* raw(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogFrame[]> {
  for await (const chunk of source) yield [{ stream: "stdout", data: Buffer.from(chunk) }];
}
