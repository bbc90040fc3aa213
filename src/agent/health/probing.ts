import type { FileHandle } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Agent, type buildConnector, interceptors, request } from "undici";
import { type Clock, sleep } from "../../base/clock.ts";
import { httpWords } from "../../base/http-words.ts";
import type { CommandInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Reach } from "../model/reach.ts";
import { connectInside, NotEntered } from "./namespace.ts";
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
  /** How the container is reached now: it may have been restarted since the last look. */
  readonly reach: () => Promise<Reach>;
  /** The status code of a GET, redirects followed, certificates not checked (as curl -L -k). `net`: in that namespace. */
  readonly status: (url: string, signal: AbortSignal, net?: FileHandle) => Promise<number>;
  /** Resolves when the connection stands. `net`: in that namespace. */
  readonly connect: (host: string, port: number, signal: AbortSignal, net?: FileHandle) => Promise<void>;
}

/** curl's own bound. */
const MOST_REDIRECTS = 50;

/** GET with Node's own means; one set of connections for all checks of this machine. `close` lets go of it. */
export function httpStatus(): { status: ProbeMeans["status"]; close: () => Promise<void> } {
  const agent = new Agent({ pipelining: 0, connect: { rejectUnauthorized: false } });
  return {
    async status(url, signal, net) {
      if (net === undefined) return await statusBy(agent, url, signal);
      const inside = new Agent({ pipelining: 0, connect: connectorInside(net, signal) });
      try {
        return await statusBy(inside, url, signal);
      } finally {
        await inside.destroy();
      }
    },
    close: () => agent.destroy(),
  };
}

async function statusBy(agent: Agent, url: string, signal: AbortSignal): Promise<number> {
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MOST_REDIRECTS }));
  const answer = await request(url, { dispatcher, signal, headersTimeout: 0, bodyTimeout: 0, reset: true });
  await answer.body.dump();
  return answer.statusCode;
}

/** Connections made in the network namespace `net`, also those of redirects. */
function connectorInside(net: FileHandle, signal: AbortSignal): buildConnector.connector {
  return ({ hostname, port, protocol, servername }, done) => {
    const isTls = protocol === "https:";
    const opened = connectInside(net, hostname, Number(port || (isTls ? 443 : 80)), signal);
    opened.then(
      (stream) => {
        if (!isTls) return done(null, stream as Socket);
        const secure = connectTls({ socket: stream, rejectUnauthorized: false, ...(servername && { servername }) });
        secure.once("secureConnect", () => done(null, secure));
        secure.once("error", (error) => done(error, null));
      },
      (error: Error) => done(error, null),
    );
  };
}

export async function tcpConnect(host: string, port: number, signal: AbortSignal, net?: FileHandle): Promise<void> {
  if (net !== undefined) {
    const stream = await connectInside(net, host, port, signal);
    stream.destroy();
    return;
  }
  await new Promise<void>((resolve, reject) => {
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

type NetworkProbe = Exclude<Probe, { kind: "command" }>;

/** Looks at `host`, which is seen from here, or from the network namespace `net`. */
async function lookAt(probe: NetworkProbe, host: string, means: ProbeMeans, signal: AbortSignal, net?: FileHandle) {
  if (probe.kind === "tcp") {
    await means.connect(host, probe.port, signal, net);
    return { kind: "tcp", succeeded: true } as const;
  }
  const { scheme, port, path } = probe;
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
  return { kind: "http", statusCode: await means.status(url, signal, net) } as const;
}

/** The container's loopback, as C++ has it: entered, or, where that cannot be, what its address shows of it. */
async function lookInto(probe: NetworkProbe, reach: Reach, means: ProbeMeans, signal: AbortSignal): Promise<Sight> {
  const loopback = probe.ipv6 ? "::1" : "127.0.0.1";
  if (reach.kind === "machine") return await lookAt(probe, loopback, means, signal);
  const address = probe.ipv6 ? reach.addresses.ipv6 : reach.addresses.ipv4;
  if (reach.kind === "namespace") {
    try {
      return await lookAt(probe, loopback, means, signal, reach.net);
    } catch (error) {
      if (!(error instanceof NotEntered) || address === undefined) throw error;
    }
  }
  if (address === undefined) {
    throw new Error(
      `the container has no ${probe.ipv6 ? "IPv6" : "IPv4"} address and the agent does not see its processes: run the agent with the host's pids (docker run --pid=host)`,
    );
  }
  return await lookAt(probe, address, means, signal);
}

/** Looks once. Never rejects. */
export async function look(probe: Probe, timeout: number, means: ProbeMeans, clock: Clock): Promise<Sight> {
  try {
    if (probe.kind === "command") {
      const { exitCode } = await within(clock, timeout, () => means.run(probe.command, timeout));
      return { kind: "command", exitCode };
    }
    return await within(clock, timeout, async (signal) => {
      const reach = await means.reach();
      try {
        return await lookInto(probe, reach, means, signal);
      } finally {
        if (reach.kind === "namespace") await reach.net.close();
      }
    });
  } catch (error) {
    // A refused connection is an answer of TCP; whatever else went wrong is none.
    const code = (error as { code?: unknown }).code;
    if (probe.kind === "tcp" && code === "ECONNREFUSED") return { kind: "tcp", succeeded: false };
    return { kind: "nothing", why: httpWords(error) };
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
