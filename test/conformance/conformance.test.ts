import { beforeAll, describe, expect, it } from "vitest";
import type { Case } from "./case.ts";
import { FLAGS, runOnOurs } from "./cluster.ts";
import { differences, type Run } from "./runner.ts";
import { dockerTable, table } from "./table.ts";

it("the table has at least 250 odd tasks, each of its own", () => {
  const all = [...table, ...dockerTable];
  expect(all.length).toBeGreaterThanOrEqual(250);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

/**
 * Masters before 1.5.1 do not say whether a task starts an executor: C++ agents then know nothing of TASK_STARTING, and what is
 * dropped is lost.
 */
const old = (one: Case): Case => {
  const states = one.expected.states
    .filter((state) => state !== "TASK_STARTING")
    .map((state) => (state === "TASK_DROPPED" ? "TASK_LOST" : state));
  return { ...one, expected: { ...one.expected, states } };
};

describe.each([
  ["1.11.0", table],
  ["0.24.1", table.map(old)],
] as const)("an odd but legal task on the real agent, of a master %s", (version, cases) => {
  let run: Run;
  beforeAll(async () => {
    run = await runOnOurs(cases, FLAGS, version);
  }, 600_000);

  it.each(cases.map((one) => [one.name, one] as const))("%s", (_name, one) => {
    expect(differences(one, run)).toEqual([]);
  });
});
