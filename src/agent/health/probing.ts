import { connect } from "node:net";
import { Agent, interceptors, request } from "undici";
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { CommandInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Probe } from "./plan.ts";

/** What a look saw. */
export type Sight =
  | { readonly kind: "command"; readonly exitCode: number }
  | { readonly kind: "http"; readonly statusCode: number }
  | { readonly kind: "tcp"; readonly succeeded: boolean }
  /** No answer: timeout, refused connection, a command that could not be started. */
  | { readonly kind: "nothing"; readonly why: string };

/** What looking needs. Each rejects when there was no answer. */
export interface ProbeMeans {
  /** Runs the command in the task's container; 128 + n for a signal; rejects when it takes longer. */
  readonly run: (command: CommandInfo, timeoutMilliseconds: number) => Promise<{ readonly exitCode: number }>;
  /** The status code of a GET, redirects followed, certificates not checked (as curl -L -k). */
  readonly status: (url: string, signal: AbortSignal) => Promise<number>;
  /** Resolves when the connection stands. */
  readonly connect: (host: string, port: number, signal: AbortSignal) => Promise<void>;
}

/** curl's own bound. */
const MOST_REDIRECTS = 50;

/** GET with Node's own means; one set of connections for all checks. `close` lets go of it. */
export function httpStatus(): { status: ProbeMeans["status"]; close: () => Promise<void> } {
  const agent = new Agent({ pipelining: 0, connect: { rejectUnauthorized: false } });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MOST_REDIRECTS }));
  return {
    async status(url, signal) {
      const answer = await request(url, { dispatcher, signal, headersTimeout: 0, bodyTimeout: 0, reset: true });
      await answer.body.dump();
      return answer.statusCode;
    },
    close: () => agent.destroy(),
  };
}

export function tcpConnect(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
  });
}

/** Gives up after `timeout` milliseconds (0: never), aborting what `work` does. */
async function within<T>(clock: Clock, timeout: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  if (timeout === 0) return await work(abort.signal);
  const late = sleep(clock, timeout, abort.signal).then(() => {
    throw new Error(`timed out after ${timeout / 1000}secs`);
  });
  try {
    return await Promise.race([work(abort.signal), late]);
  } finally {
    late.catch(() => undefined);
    abort.abort(new Error("the check is over"));
  }
}

/** Looks once. Never rejects. `address` is where the task listens when it has a network of its own. */
export async function look(
  probe: Probe,
  timeout: number,
  means: ProbeMeans,
  clock: Clock,
  address?: string,
): Promise<Sight> {
  try {
    if (probe.kind === "command") {
      const { exitCode } = await within(clock, timeout, () => means.run(probe.command, timeout));
      return { kind: "command", exitCode };
    }
    const host = address ?? (probe.ipv6 ? "::1" : "127.0.0.1");
    if (probe.kind === "tcp") {
      await within(clock, timeout, (signal) => means.connect(host, probe.port, signal));
      return { kind: "tcp", succeeded: true };
    }
    const { scheme, port, path } = probe;
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
    return { kind: "http", statusCode: await within(clock, timeout, (signal) => means.status(url, signal)) };
  } catch (error) {
    // A refused connection is an answer of TCP; whatever else went wrong is none.
    const code = (error as { code?: unknown }).code;
    if (probe.kind === "tcp" && code === "ECONNREFUSED") return { kind: "tcp", succeeded: false };
    return { kind: "nothing", why: messageOf(error) };
  }
}

/** Whether what was seen is healthy, and in words why not. */
export function verdict(probe: Probe, sight: Sight): { readonly isHealthy: boolean; readonly why: string } {
  switch (sight.kind) {
    case "nothing":
      return { isHealthy: false, why: sight.why };
    case "command":
      return { isHealthy: sight.exitCode === 0, why: `the command exited with status ${sight.exitCode}` };
    case "tcp":
      return { isHealthy: sight.succeeded, why: "the connection was refused" };
    case "http": {
      const { statusCode } = sight;
      const allowed = probe.kind === "http" ? probe.statuses : [];
      const isHealthy = allowed.length > 0 ? allowed.includes(statusCode) : statusCode >= 200 && statusCode < 400;
      return { isHealthy, why: `the answer had the status ${statusCode}` };
    }
  }
}
