import type { FileHandle } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { systemClock } from "../../base/clock.ts";
import {
  CheckInfo_Type,
  CheckInfoSchema,
  HealthCheck_Type,
  HealthCheckSchema,
  NetworkInfo_Protocol,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Reach } from "../model/reach.ts";
import { watchCheck, watchHealth } from "./checker.ts";
import { healthUnknown, judge } from "./health.ts";
import { NotEntered } from "./namespace.ts";
import { planCheck, planHealthCheck } from "./plan.ts";
import { httpStatus, look, type ProbeMeans, tcpConnect, verdict } from "./probing.ts";

const health = (init: MessageInitShape<typeof HealthCheckSchema>) => planHealthCheck(create(HealthCheckSchema, init));
const command = { value: "true", shell: true };

describe("plans", () => {
  it("have Mesos' defaults, in milliseconds", () => {
    expect(health({ command })).toMatchObject({
      probe: { kind: "command" },
      schedule: { delay: 15_000, interval: 10_000, timeout: 20_000 },
      consecutiveFailures: 3,
      grace: 10_000,
    });
  });

  it("never look without a pause, whatever the interval: it is the agent that looks", () => {
    expect(health({ command, intervalSeconds: 0 }).schedule.interval).toBe(100);
    expect(health({ command, intervalSeconds: 0.0001 }).schedule.interval).toBe(100);
    expect(health({ command, intervalSeconds: 0.25 }).schedule.interval).toBe(250);
    const check = create(CheckInfoSchema, { type: 3, tcp: { port: 1 }, intervalSeconds: 0 });
    expect(planCheck(check).schedule.interval).toBe(100);
  });

  it("take the form without a type, and with one", () => {
    const http = { port: 80, statuses: [204] };
    expect(health({ http }).probe).toMatchObject({ kind: "http", scheme: "http", path: "/", statuses: [204] });
    expect(health({ type: HealthCheck_Type.TCP, tcp: { port: 1 }, command }).probe.kind).toBe("tcp");
    const all = { command, http: { port: 80 }, tcp: { port: 1 } };
    const types = [HealthCheck_Type.COMMAND, HealthCheck_Type.HTTP, HealthCheck_Type.TCP, HealthCheck_Type.UNKNOWN];
    expect(types.map((type) => health({ type, ...all }).probe.kind)).toEqual(["command", "http", "tcp", "command"]);
    const missing = [{ command: undefined }, { http: undefined }, { tcp: undefined }];
    for (const [index, without] of missing.entries())
      expect(() => health({ ...all, ...without, type: types[index] ?? 0 } as never)).toThrow(
        "neither command nor http",
      );
    const check = create(CheckInfoSchema, { type: CheckInfo_Type.HTTP, http: { port: 8080, path: "/a" } });
    expect(planCheck(check).probe).toMatchObject({ kind: "http", port: 8080, path: "/a" });
  });

  it.each([
    [{}, "neither command nor http nor tcp"],
    [{ http: { port: 0 } }, "port 0"],
    [{ http: { port: 1, path: "x" } }, "must start with"],
    [{ http: { port: 1, scheme: "gopher" } }, "gopher"],
    [{ command, intervalSeconds: -1 }, "interval_seconds"],
    [{ command, delaySeconds: Number.NaN }, "delay_seconds"],
  ])("%j is refused", (init, why) => {
    expect(() => health(init)).toThrow(why);
  });
});

describe("judge", () => {
  const settings = { consecutiveFailures: 2, grace: 1000 };
  function run(looks: readonly (readonly [boolean, number])[]) {
    let state = healthUnknown;
    return looks.map(([isHealthy, since]) => {
      const judged = judge(state, isHealthy, since, settings);
      state = judged.state;
      const { report } = judged;
      return report === undefined ? "" : `${report.healthy ? "healthy" : "failing"}${report.killWanted ? " kill" : ""}`;
    });
  }

  it("says healthy once, every failure, and kills at the limit", () => {
    const looks = [
      [true, 0],
      [true, 1],
      [false, 2],
      [true, 3],
      [false, 4],
      [false, 5],
      [false, 6],
    ] as const;
    expect(run(looks)).toEqual(["healthy", "", "failing", "healthy", "failing", "failing kill", ""]);
  });

  it("forgives failures in the grace, until the first success", () => {
    expect(
      run([
        [false, 0],
        [false, 999],
        [false, 1000],
        [false, 1001],
      ]),
    ).toEqual(["", "", "failing", "failing kill"]);
    expect(
      run([
        [true, 0],
        [false, 1],
        [false, 2],
      ]),
    ).toEqual(["healthy", "failing", "failing kill"]);
  });
});

/** Means whose answers the test decides; a command never ends while `answer` is undefined. */
function scripted(answers: (number | Error | undefined)[]): ProbeMeans & { looks: number } {
  const means = {
    looks: 0,
    run: () => {
      const answer = answers[means.looks++];
      if (answer === undefined) return new Promise<never>(() => undefined);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ exitCode: answer });
    },
    reach: () => Promise.reject(new Error("not asked")),
    status: () => Promise.reject(new Error("not asked")),
    connect: () => Promise.reject(new Error("not asked")),
  };
  return means;
}

describe("watchHealth", () => {
  const plan = health({
    command,
    delaySeconds: 5,
    intervalSeconds: 10,
    timeoutSeconds: 2,
    gracePeriodSeconds: 0,
    consecutiveFailures: 2,
  });

  it("looks after the delay, then an interval after each look; a timeout is a failure", async () => {
    const clock = new TestClock();
    const means = scripted([0, undefined, 1]);
    const reports: string[] = [];
    watchHealth(plan, { clock, means }, ({ healthy, killWanted, why }) =>
      reports.push(`${healthy} ${killWanted} ${why}`),
    );
    await clock.advance(4_999);
    expect(means.looks).toBe(0);
    await clock.advance(1);
    expect(reports).toEqual(["true false "]);
    await clock.advance(12_000);
    expect(reports[1]).toBe("false false timed out after 2secs");
    await clock.advance(10_000);
    expect(reports[2]).toBe("false true the command exited with status 1");
    await clock.advance(100_000);
    expect(means.looks).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it("pauses and stops", async () => {
    const clock = new TestClock();
    const means = scripted([0, 0, 0]);
    const checking = watchHealth(plan, { clock, means }, () => undefined);
    await clock.advance(5_000);
    checking.pause();
    await clock.advance(60_000);
    expect(means.looks).toBe(1);
    checking.resume();
    await clock.advance(10_000);
    expect(means.looks).toBe(2);
    checking.stop();
    checking.resume();
    await clock.advance(60_000);
    expect(means.looks).toBe(2);
  });
});

it("tells a generic check's changes only", async () => {
  const clock = new TestClock();
  const check = create(CheckInfoSchema, {
    type: CheckInfo_Type.COMMAND,
    command: { command },
    delaySeconds: 0,
    intervalSeconds: 1,
  });
  const told: unknown[] = [];
  const means = scripted([0, 0, 3, new Error("gone"), new Error("gone again"), 3]);
  const checking = watchCheck(planCheck(check), { clock, means }, ({ command: seen }) =>
    told.push(Object.hasOwn(seen ?? {}, "exitCode") ? seen?.exitCode : "none"),
  );
  await clock.advance(5_000);
  await settle();
  checking.stop();
  expect(told).toEqual([0, 3, "none", 3]);
});

describe("real probes", () => {
  let server: Server;
  let port: number;
  const http = httpStatus();
  const means: ProbeMeans = {
    run: () => Promise.reject(new Error("none")),
    reach: async () => ({ kind: "machine" }),
    status: http.status,
    connect: tcpConnect,
  };
  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/fine" }).end();
      else response.writeHead(request.url === "/fine" ? 200 : 500).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("follow redirects, take 200 to 399, and know a refused connection", async () => {
    const seen = async (path: string, statuses: number[] = []) => {
      const { probe } = health({ http: { port, path, statuses } });
      return verdict(probe, await look(probe, 5_000, means, systemClock));
    };
    expect((await seen("/moved")).isHealthy).toBe(true);
    expect(await seen("/bad")).toEqual({ isHealthy: false, why: "the answer had the status 500" });
    expect((await seen("/bad", [500])).isHealthy).toBe(true);
    const { probe } = health({ tcp: { port } });
    expect(await look(probe, 5_000, means, systemClock)).toEqual({ kind: "tcp", succeeded: true });
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const closed = (free.address() as AddressInfo).port;
    await new Promise((resolve) => free.close(resolve));
    expect(await look(health({ tcp: { port: closed } }).probe, 5_000, means, systemClock)).toEqual({
      kind: "tcp",
      succeeded: false,
    });
    await http.close();
  });
});

describe("a probe of a container with a network of its own", () => {
  const addresses = { ipv4: "172.17.0.9", ipv6: undefined };
  /** Means that tell where they were sent; those in a namespace fail as `inside` says. */
  function traced(reach: Reach, inside?: Error) {
    const asked: string[] = [];
    const note = async (what: string, net: unknown) => {
      asked.push(net === undefined ? what : `${what} inside`);
      if (net !== undefined && inside !== undefined) throw inside;
    };
    const means: ProbeMeans = {
      run: () => Promise.reject(new Error("none")),
      reach: async () => reach,
      status: (url, _signal, net) => note(url, net).then(() => 200),
      connect: (host, port, _signal, net) => note(`${host} ${port}`, net),
    };
    return { asked, means };
  }
  const probes = [health({ http: { port: 80, path: "/a" } }).probe, health({ tcp: { port: 81 } }).probe];
  const ipv6 = health({ tcp: { port: 82, protocol: NetworkInfo_Protocol.IPv6 } }).probe;
  const lookAll = async ({ asked, means }: ReturnType<typeof traced>) => {
    const sights = [];
    for (const probe of [...probes, ipv6]) sights.push(await look(probe, 5_000, means, new TestClock()));
    return { asked, sights };
  };

  it("goes to its loopback, of either family, and lets go of the namespace", async () => {
    let closed = 0;
    const net = { close: async () => void closed++ } as unknown as FileHandle;
    const { asked } = await lookAll(traced({ kind: "namespace", net, addresses }));
    expect(asked).toEqual(["http://127.0.0.1:80/a inside", "127.0.0.1 81 inside", "::1 82 inside"]);
    expect(closed).toBe(3);
  });

  it("goes to its address when it may not enter, and says what is missing when there is none", async () => {
    const net = { close: async () => undefined } as unknown as FileHandle;
    const { asked, sights } = await lookAll(
      traced({ kind: "namespace", net, addresses }, new NotEntered("Operation not permitted")),
    );
    expect(asked.filter((one) => !one.endsWith("inside"))).toEqual(["http://172.17.0.9:80/a", "172.17.0.9 81"]);
    expect(sights[2]).toMatchObject({ kind: "nothing", why: expect.stringContaining("--privileged") });
  });

  it("does not try the address because the task does not listen", async () => {
    const net = { close: async () => undefined } as unknown as FileHandle;
    const refused = Object.assign(new Error("Connection refused"), { code: "ECONNREFUSED" });
    const { asked, sights } = await lookAll(traced({ kind: "namespace", net, addresses }, refused));
    expect(asked).toHaveLength(3);
    expect(sights[1]).toEqual({ kind: "tcp", succeeded: false });
  });

  it("goes to its address when its processes are not seen, and says what is missing when there is none", async () => {
    const { asked, sights } = await lookAll(traced({ kind: "address", addresses }));
    expect(asked).toEqual(["http://172.17.0.9:80/a", "172.17.0.9 81"]);
    expect(sights[2]).toMatchObject({ kind: "nothing", why: expect.stringContaining("--pid=host") });
  });
});
