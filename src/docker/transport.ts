import type { Duplex, Readable } from "node:stream";
import { type Dispatcher, Pool } from "undici";
import type { Clock } from "../base/clock.ts";
import { type EngineEndpoint, endpointText } from "./endpoint.ts";
import { connectionError, EngineError } from "./errors.ts";
import { hijack, NotHandedOver } from "./hijack.ts";

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until the whole answer must be there (a stream: its head). */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** The most bytes that an answer may have; default 8 MB. */
  readonly limit?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const DEFAULT_LIMIT = 8 * 1024 * 1024;
const ERROR_LIMIT = 64 * 1024;

/** What happened on the wire since the start; for metrics. */
export interface TransportCounters {
  calls: number;
  refused: number;
  timeouts: number;
  unreachable: number;
}

/** HTTP to the daemon: one deadline for each call, bounded answers, typed errors with the daemon's own words. */
export class Transport {
  readonly endpoint: string;
  readonly counters: TransportCounters = { calls: 0, refused: 0, timeouts: 0, unreachable: 0 };
  readonly #address: EngineEndpoint;
  readonly #pool: Pool;
  readonly #clock: Clock;

  constructor(endpoint: EngineEndpoint, clock: Clock) {
    this.#address = endpoint;
    this.endpoint = endpointText(endpoint);
    this.#clock = clock;
    this.#pool = openPool(endpoint);
  }

  /** A whole answer as text. Statuses from 400 on reject. */
  async call(method: string, path: string, options: CallOptions): Promise<Answer> {
    return this.#within(method, path, options, async (response) => ({
      status: response.statusCode,
      headers: response.headers,
      text: await readBounded(response.body, options.limit ?? DEFAULT_LIMIT),
    }));
  }

  /** An answer whose body goes on; `signal` ends it. The deadline holds for its head only. */
  async stream(method: string, path: string, options: CallOptions): Promise<Readable> {
    return this.#within(method, path, options, async (response) => response.body);
  }

  /** A connection that both sides write to; the deadline holds until it is there. Whoever has it ends it. */
  async connect(path: string, { query, body, deadline }: Omit<CallOptions, "signal">): Promise<Duplex> {
    const call = `POST ${path}`;
    const controller = new AbortController();
    const timer = this.#clock.after(deadline, () => controller.abort(this.#late(call, deadline)));
    this.counters.calls++;
    try {
      return await hijack(this.#address, { path: withQuery(path, query), body, signal: controller.signal });
    } catch (error) {
      throw this.#count(await this.#whyNot(call, error));
    } finally {
      timer.cancel();
    }
  }

  /** The daemon's own words for not handing a connection over. */
  async #whyNot(call: string, error: unknown): Promise<EngineError> {
    if (error instanceof EngineError) return error;
    if (!(error instanceof NotHandedOver)) return connectionError(this.endpoint, call, error);
    const { response } = error;
    const status = response.statusCode ?? 0;
    if (status >= 400) return refusal(call, status, await readBounded(response, ERROR_LIMIT).catch(() => ""));
    response.destroy();
    return new EngineError(
      "protocol",
      `${call}: the Docker daemon does not hand the connection over (status ${status})`,
    );
  }

  #late(call: string, deadline: number): EngineError {
    const text = `the Docker daemon at ${this.endpoint} did not answer ${call} within ${deadline / 1000} s`;
    return new EngineError("timeout", text);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #within<T>(
    method: string,
    path: string,
    options: CallOptions,
    read: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const call = `${method} ${path}`;
    const controller = new AbortController();
    const abort = (): void => controller.abort(new EngineError("aborted", `${call}: given up`));
    if (options.signal?.aborted) throw new EngineError("aborted", `${call}: given up`);
    options.signal?.addEventListener("abort", abort, { once: true });
    const timer = this.#clock.after(options.deadline, () => controller.abort(this.#late(call, options.deadline)));
    this.counters.calls++;
    let streaming = false;
    try {
      const response = await this.#pool.request(toRequest(method, path, options, controller.signal));
      if (response.statusCode >= 400) {
        throw refusal(call, response.statusCode, await readBounded(response.body, ERROR_LIMIT));
      }
      const result = await read(response);
      streaming = (result as unknown) === response.body;
      if (streaming) response.body.once("close", () => options.signal?.removeEventListener("abort", abort));
      return result;
    } catch (error) {
      throw this.#count(error instanceof EngineError ? error : this.#translate(call, error, controller.signal));
    } finally {
      timer.cancel();
      if (!streaming) options.signal?.removeEventListener("abort", abort);
    }
  }

  #translate(call: string, error: unknown, signal: AbortSignal): EngineError {
    if (signal.aborted && signal.reason instanceof EngineError) return signal.reason;
    return connectionError(this.endpoint, call, error);
  }

  #count(error: EngineError): EngineError {
    if (error.kind === "timeout") this.counters.timeouts++;
    if (error.kind === "unreachable") this.counters.unreachable++;
    if (error.kind === "refused") this.counters.refused++;
    return error;
  }
}

function openPool(endpoint: EngineEndpoint): Pool {
  // Deadlines are ours; undici's own would end quiet log and event streams.
  const common = { headersTimeout: 0, bodyTimeout: 0, pipelining: 1, keepAliveTimeout: 10_000 };
  if (endpoint.kind === "unix") {
    return new Pool("http://docker", { ...common, connect: { socketPath: endpoint.path, timeout: 0 } });
  }
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  if (endpoint.tls === undefined) return new Pool(`http://${host}:${endpoint.port}`, common);
  const { ca, cert, key, verify } = endpoint.tls;
  return new Pool(`https://${host}:${endpoint.port}`, {
    ...common,
    connect: {
      timeout: 0,
      rejectUnauthorized: verify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  });
}

function withQuery(path: string, wanted: CallOptions["query"] = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

function toRequest(
  method: string,
  path: string,
  options: CallOptions,
  signal: AbortSignal,
): Dispatcher.RequestOptions & { path: string } {
  const body = options.body === undefined ? null : JSON.stringify(options.body);
  return {
    method: method as Dispatcher.HttpMethod,
    path: withQuery(path, options.query),
    headers: { ...(body === null ? {} : { "content-type": "application/json" }), ...options.headers },
    body,
    signal,
  };
}

/** Reads a body of at most `limit` bytes; a longer one is an error. */
async function readBounded(body: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      body.destroy();
      throw new EngineError("protocol", `the Docker daemon answered with more than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The daemon's own words: `{"message": …}` (API 1.24+), podman's `cause`, or plain text. */
function refusal(call: string, status: number, text: string): EngineError {
  let words = text.trim();
  try {
    const parsed = JSON.parse(text) as { message?: unknown; cause?: unknown };
    if (typeof parsed.message === "string" && parsed.message !== "") words = parsed.message;
    else if (typeof parsed.cause === "string") words = parsed.cause;
  } catch {
    // Not JSON: the text itself is what the daemon said.
  }
  return new EngineError("refused", words || `${call} answered with status ${status}`, { status });
}
