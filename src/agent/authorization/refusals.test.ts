import { expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import { Refusals } from "./refusals.ts";

it("says each, at a bounded rate, and counts all", async () => {
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (line) => void lines.push(line) };
  const counts = new Map<string, number>();
  const clock = new TestClock();
  const refusals = new Refusals({ log, clock, count: (name) => void counts.set(name, (counts.get(name) ?? 0) + 1) });
  refusals.forbidden({ kind: "principal", name: 'dev"\n' }, "access_sandboxes", "/work/x\ny");
  refusals.forbidden(undefined, "view_flags", undefined);
  const claims = { frameworkId: "F", executorId: "E", containerId: "c" };
  refusals.forbidden({ kind: "executor", claims }, "kill_nested_containers", "x".repeat(10_000));
  refusals.unauthenticated("mesos-agent-readonly", "10.0.0.1", "why");
  expect(lines.slice(0, 2)).toEqual([
    'Refusing principal "dev\\"\\n" the action access_sandboxes on "/work/x\\ny"',
    "Refusing somebody without a name the action view_flags",
  ]);
  expect(lines[2]).toMatch(
    /^Refusing executor "E" of framework "F" \(container "c"\) the action kill_nested_containers on "x+"$/,
  );
  expect(lines[2]?.length).toBeLessThan(500);
  expect(lines[3]).toBe("Refusing a request from 10.0.0.1 in the realm mesos-agent-readonly: why");
  for (let index = 0; index < 1_000; index++) refusals.forbidden(undefined, "view_flags", undefined);
  expect(lines).toHaveLength(20);
  await clock.advance(10_000);
  refusals.forbidden(undefined, "view_flags", undefined);
  expect(lines).toHaveLength(22);
  expect([...counts.values()]).toEqual([1_004, 1]);
});
