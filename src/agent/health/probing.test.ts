import { type FileHandle, open } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { missing } from "../../../test/support/missing.ts";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { NotEntered } from "./namespace.ts";
import type { Probe } from "./plan.ts";
import { httpStatus, look, type ProbeMeans, tcpConnect, verdict } from "./probing.ts";

const http = (more: Partial<Extract<Probe, { kind: "http" }>> = {}): Probe => ({
  kind: "http",
  scheme: "http",
  port: 80,
  path: "/a",
  ipv6: false,
  statuses: [],
  ...more,
});
const tcp: Probe = { kind: "tcp", port: 81, ipv6: false };
const command: Probe = { kind: "command", command: { value: "look" } as never };

describe("what is healthy", () => {
  it.each([
    [command, { kind: "command", exitCode: 0 }, true, ""],
    [command, { kind: "command", exitCode: 3 }, false, "the command exited with status 3"],
    [tcp, { kind: "tcp", succeeded: true }, true, ""],
    [tcp, { kind: "tcp", succeeded: false }, false, "the connection was refused"],
    [http(), { kind: "http", statusCode: 199 }, false, "the answer had the status 199"],
    [http(), { kind: "http", statusCode: 200 }, true, ""],
    [http(), { kind: "http", statusCode: 399 }, true, ""],
    [http(), { kind: "http", statusCode: 400 }, false, "the answer had the status 400"],
    [http({ statuses: [500] }), { kind: "http", statusCode: 500 }, true, ""],
    [http({ statuses: [500] }), { kind: "http", statusCode: 200 }, false, "the answer had the status 200"],
    [http(), { kind: "nothing", why: "no route" }, false, "no route"],
  ] as const)("%j, %j: %s", (probe, sight, isHealthy, why) => {
    const judged = verdict(probe, sight);
    expect(judged.isHealthy).toBe(isHealthy);
    if (!isHealthy) expect(judged.why).toBe(why);
  });
});

/** Means that note where they were sent. */
function noting(more: Partial<ProbeMeans> = {}) {
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const means: ProbeMeans = {
    run: async ({ value }, timeout) => {
      asked.push(`${value} ${timeout}`);
      return { exitCode: 0 };
    },
    reach: async () => ({ kind: "machine" }),
    status: async (url, signal) => {
      asked.push(url);
      signals.push(signal);
      return 200;
    },
    connect: async (host, port, signal) => {
      asked.push(`${host} ${port}`);
      signals.push(signal);
    },
    ...more,
  };
  return { asked, signals, means };
}

describe("a look", () => {
  it("goes where the probe says", async () => {
    const { asked, means } = noting();
    const probes = [http({ scheme: "https", port: 8443 }), http({ ipv6: true }), tcp, { ...tcp, ipv6: true }, command];
    for (const probe of probes) await look(probe, 5_000, means, new TestClock());
    expect(asked).toEqual(["https://127.0.0.1:8443/a", "http://[::1]:80/a", "127.0.0.1 81", "::1 81", "look 5000"]);
  });

  it("has its time, and ends what it does when that is over", async () => {
    const clock = new TestClock();
    const { signals, means } = noting({
      status: (_url, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const sight = look(http(), 2_000, means, clock);
    await clock.advance(1_999);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    expect(await sight).toEqual({ kind: "nothing", why: "timed out after 2secs" });
    expect(signals[0]?.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("leaves no timer behind, and has none without a limit", async () => {
    const clock = new TestClock();
    const { means } = noting();
    await look(http(), 2_000, means, clock);
    await settle();
    expect(clock.pending).toBe(0);
    const waiting = look(http(), 0, { ...means, status: () => new Promise(() => undefined) }, clock);
    await settle();
    expect(clock.pending).toBe(0);
    void waiting;
  });

  it("that finds nobody sees nothing, but of TCP that the connection was refused", async () => {
    const refused = () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
    const { means } = noting({ status: refused, connect: refused });
    const clock = new TestClock();
    expect(await look(tcp, 1_000, means, clock)).toEqual({ kind: "tcp", succeeded: false });
    expect(await look(http(), 1_000, means, clock)).toMatchObject({ kind: "nothing" });
    const other = () => Promise.reject(Object.assign(new Error("no route"), { code: "EHOSTUNREACH" }));
    expect(await look(tcp, 1_000, { ...means, connect: other }, clock)).toMatchObject({ kind: "nothing" });
    const gone = { ...means, reach: () => Promise.reject(new Error("no container")) };
    expect(await look(tcp, 1_000, gone, clock)).toEqual({ kind: "nothing", why: "no container" });
  });
});

it("an answer is fetched, and a connection made, in another network namespace", async (context) => {
  const net: FileHandle = await open("/proc/self/ns/net");
  const server = createServer((request, response) => {
    if (request.url === "/moved") response.writeHead(302, { location: "/there" }).end();
    else response.writeHead(request.url === "/there" ? 204 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = httpStatus();
  const { signal } = new AbortController();
  try {
    expect(await client.status(`http://127.0.0.1:${port}/moved`, signal, net)).toBe(204);
    await tcpConnect("127.0.0.1", port, signal, net);
    await expect(client.status(`https://127.0.0.1:${port}/`, signal, net), "it speaks no TLS").rejects.toThrow();
  } catch (error) {
    const cause = error instanceof NotEntered ? error : (error as Error).cause;
    if (cause instanceof NotEntered) missing(context, cause.message);
    throw error;
  } finally {
    await client.close();
    await net.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
