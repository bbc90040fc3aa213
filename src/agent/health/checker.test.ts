import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import {
  CheckInfo_Type,
  CheckInfoSchema,
  type CheckStatusInfo,
  CheckStatusInfoSchema,
  HealthCheckSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { watchCheck, watchHealth } from "./checker.ts";
import { planCheck, planHealthCheck } from "./plan.ts";
import type { ProbeMeans } from "./probing.ts";

type Answer = (exitCode: number) => void;

/** Looks that end when the test answers them. */
class HeldLooks {
  readonly answers: Answer[] = [];
  readonly means: ProbeMeans = {
    run: () => new Promise((resolve) => this.answers.push((exitCode) => resolve({ exitCode }))),
    reach: async () => ({ kind: "machine" }),
    status: () => Promise.reject(new Error("not asked")),
    connect: () => Promise.reject(new Error("not asked")),
  };

  get begun(): number {
    return this.answers.length;
  }
}

const plan = (more: object = {}) =>
  planHealthCheck(
    create(HealthCheckSchema, {
      command: { value: "look" },
      delaySeconds: 0,
      intervalSeconds: 10,
      timeoutSeconds: 0,
      gracePeriodSeconds: 0,
      ...more,
    } as MessageInitShape<typeof HealthCheckSchema>),
  );

function watched(clock: TestClock, before?: { healthy: boolean | undefined; age: number }, more = {}) {
  const looks = new HeldLooks();
  const told: string[] = [];
  const checking = watchHealth(
    plan(more),
    { clock, means: looks.means },
    ({ healthy, killWanted }) => told.push(`${healthy ? "healthy" : "unhealthy"}${killWanted ? ", kill" : ""}`),
    before,
  );
  return { looks, told, checking };
}

describe("a look that is under way", () => {
  it("counts when the check is paused meanwhile, and is not followed by another", async () => {
    const clock = new TestClock();
    const { looks, told, checking } = watched(clock);
    await clock.advance(0);
    checking.pause();
    looks.answers[0]?.(0);
    await clock.advance(60_000);
    expect([told, looks.begun]).toEqual([["healthy"], 1]);
  });

  it("is the only one when the check is resumed meanwhile: the next comes an interval after its end", async () => {
    const clock = new TestClock();
    const { looks, checking } = watched(clock);
    await clock.advance(0);
    checking.pause();
    checking.resume();
    await clock.advance(25_000);
    expect(looks.begun).toBe(1);
    looks.answers[0]?.(0);
    await clock.advance(9_999);
    expect(looks.begun).toBe(1);
    await clock.advance(1);
    expect(looks.begun).toBe(2);
  });

  it("says nothing any more when the check has been stopped", async () => {
    const clock = new TestClock();
    const { looks, told, checking } = watched(clock);
    await clock.advance(0);
    checking.stop();
    looks.answers[0]?.(1);
    await clock.advance(60_000);
    expect([told, looks.begun, clock.pending]).toEqual([[], 1, 0]);
  });
});

it("a check that is stopped is neither paused nor resumed; one that is not paused is not resumed", async () => {
  const clock = new TestClock();
  const { looks, checking } = watched(clock, undefined, { delaySeconds: 5 });
  await clock.advance(4_000);
  checking.resume();
  await clock.advance(1_000);
  expect(looks.begun, "its delay goes on").toBe(1);
  checking.stop();
  checking.pause();
  checking.resume();
  await clock.advance(60_000);
  expect([looks.begun, clock.pending]).toEqual([1, 0]);
});

describe("a task that an agent before this one watched", () => {
  const failures = async (before: { healthy: boolean | undefined; age: number }) => {
    const clock = new TestClock();
    const { looks, told } = watched(clock, before, { gracePeriodSeconds: 15, consecutiveFailures: 9 });
    for (let look = 0; look < 3; look++) {
      await clock.advance(look === 0 ? 0 : 10_000);
      looks.answers[look]?.(1);
      await clock.advance(0);
    }
    return told.length;
  };

  it("has its grace from its own start, and none when it has been healthy", async () => {
    expect(await failures({ healthy: undefined, age: 0 }), "at 0, 10 and 20 s").toBe(1);
    expect(await failures({ healthy: undefined, age: 6_000 }), "at 6, 16 and 26 s").toBe(2);
    expect(await failures({ healthy: true, age: 0 })).toBe(3);
    expect(await failures({ healthy: false, age: 0 })).toBe(3);
  });

  it("and reported healthy is not reported healthy again; one that was not is", async () => {
    for (const [healthy, expected] of [
      [true, []],
      [false, ["healthy"]],
    ] as const) {
      const clock = new TestClock();
      const { looks, told } = watched(clock, { healthy, age: 1_000 });
      await clock.advance(0);
      looks.answers[0]?.(0);
      await clock.advance(0);
      expect(told).toEqual(expected);
    }
  });
});

it("after so many failures in a row the end of the task is asked for, once", async () => {
  const clock = new TestClock();
  const { looks, told } = watched(clock, undefined, { consecutiveFailures: 2 });
  for (let look = 0; look < 4; look++) {
    await clock.advance(look === 0 ? 0 : 10_000);
    looks.answers[look]?.(1);
    await clock.advance(0);
  }
  expect(told).toEqual(["unhealthy", "unhealthy, kill"]);
});

describe("what a generic check tells", () => {
  const { HTTP, TCP } = CheckInfo_Type;
  /** Answers of one look after the other: a status code, a stood connection, or an error; the last one again and again. */
  async function told(
    init: MessageInitShape<typeof CheckInfoSchema>,
    answers: readonly (number | Error)[],
    known?: MessageInitShape<typeof CheckStatusInfoSchema>,
  ): Promise<CheckStatusInfo[]> {
    const clock = new TestClock();
    let looks = 0;
    const look = async (): Promise<number> => {
      const answer = answers[Math.min(looks++, answers.length - 1)] ?? new Error("no answers");
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const seen: CheckStatusInfo[] = [];
    const means = { ...new HeldLooks().means, status: look, connect: async () => void (await look()) };
    const check = create(CheckInfoSchema, { delaySeconds: 0, intervalSeconds: 1, ...init });
    const checking = watchCheck(
      planCheck(check),
      { clock, means },
      (status) => seen.push(status),
      known && create(CheckStatusInfoSchema, known),
    );
    for (const _answer of answers) await clock.advance(1_000);
    checking.stop();
    return seen;
  }
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

  it("of HTTP is the status code, or nothing", async () => {
    const statuses = await told({ type: HTTP, http: { port: 80 } }, [200, 200, 503, new Error("no answer")]);
    expect(statuses).toMatchObject([{ http: { statusCode: 200 } }, { http: { statusCode: 503 } }, { http: {} }]);
    expect(statuses.map(({ type }) => type)).toEqual([HTTP, HTTP, HTTP]);
    expect(Object.hasOwn(statuses[2]?.http ?? {}, "statusCode")).toBe(false);
  });

  it("of TCP is whether the connection stood, or nothing", async () => {
    const statuses = await told({ type: TCP, tcp: { port: 80 } }, [0, refused, refused, new Error("no route")]);
    expect(statuses).toMatchObject([{ tcp: { succeeded: true } }, { tcp: { succeeded: false } }, { tcp: {} }]);
    expect(Object.hasOwn(statuses[2]?.tcp ?? {}, "succeeded")).toBe(false);
  });

  it("is not what the agent before this one told already", async () => {
    const http = { type: HTTP, http: { port: 80 } };
    expect(await told(http, [200, 200], { type: HTTP, http: { statusCode: 200 } })).toEqual([]);
    expect(await told(http, [new Error("no answer")]), "it began with nothing").toEqual([]);
  });
});
