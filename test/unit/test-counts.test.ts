import { expect, it } from "vitest";
import { summary } from "../../tools/test.ts";

const one = { status: "passed", assertionResults: [{}] };
const report = (changes: object = {}): string =>
  JSON.stringify({
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 2,
    numTodoTests: 1,
    testResults: [one],
    ...changes,
  });

it.each([
  ["all is well", report(), 0, "5 passed, 0 failed, 3 skipped"],
  ["a test failed", report({ numFailedTests: 2 }), 1, "5 passed, 2 failed, 3 skipped"],
  [
    "a file could not be loaded",
    report({ testResults: [one, { status: "failed", assertionResults: [] }] }),
    1,
    "5 passed, 1 failed, 3 skipped",
  ],
  ["an error happened outside of tests", report(), 1, "5 passed, 1 failed, 3 skipped"],
  ["vitest was killed", report(), null, "5 passed, 1 failed, 3 skipped"],
  ["its report has no end", report().slice(0, 50), 1, "0 passed, 1 failed, 0 skipped"],
] as const)("the counts when %s", (_what, text, status, line) => {
  expect(summary(text, status)).toEqual({ line, failed: Number(/(\d+) failed/.exec(line)?.[1]) });
});
