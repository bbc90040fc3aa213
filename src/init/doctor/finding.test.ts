import { expect, test } from "vitest";
import { messageOf, UserError } from "../../base/errors.ts";
import { report } from "./doctor.ts";
import { findings } from "./finding.ts";

const { ok, warning, failure } = findings("master");

test("what is not well comes with one fix: the error's own where it has one", () => {
  expect(failure("no answer", "start it")).toEqual({
    check: "master",
    status: "failure",
    detail: "no answer",
    fix: "start it",
  });
  const error = new UserError("'x' does not name a master", "write host:port");
  expect(warning(`x: ${messageOf(error)}`, "can it be reached?")).toMatchObject({
    detail: "x: 'x' does not name a master",
    fix: "write host:port",
  });
});

test("a finding is a line, its fix another", () => {
  expect(report([ok("local"), failure(messageOf(new UserError("wrong", "right")), "other")])).toBe(
    "ok       master  local\nfailure  master  wrong\n                 Fix: right",
  );
});
