import { describe, expect, it } from "vitest";
import { ownMilliseconds } from "../../../test/support/own-time.ts";
import { messageOf } from "../../base/errors.ts";
import { compileExpression } from "./expression.ts";

describe("expressions", () => {
  it.each([
    ["^\\s", " at x", "at x"],
    ["(?i)error", "An ERROR", "fine"],
    ["^[[:digit:]]{4}-", "2026-11", "x2026-"],
    ["\\p{Lu}$", "zÄ", "zä"],
    ["(?P<level>WARN|INFO) ", "INFO x", "INFOx"],
    ["\\.log\\b", "a.log", "a_log"],
  ])("%s matches %j and not %j", (pattern, yes, no) => {
    expect(compileExpression(pattern).test(yes)).toBe(true);
    expect(compileExpression(pattern).test(no)).toBe(false);
  });

  it.each([
    ["^(\\w+\\s?)*$", `${"a".repeat(100_000)}!`],
    ["^(([a-z])+.)+[A-Z]([a-z])+$", "a".repeat(100_000)],
    ["(a|aa)+$", `${"a".repeat(100_000)}b`],
    ["(.*)(.*)(.*)(.*)x$", "a".repeat(100_000)],
    ["(x?){200}x{200}y", "x".repeat(100_000)],
  ])("%s cannot be stopped by a line", (pattern, line) => {
    const begun = ownMilliseconds();
    expect(compileExpression(pattern).test(line)).toBe(false);
    // A backtracking engine needs longer than the universe has.
    expect(ownMilliseconds() - begun).toBeLessThan(5000);
  });

  it.each([
    ["^(?!\\d{4})", "look-ahead and look-behind are not known", "negate"],
    ["(?<=a)b", "look-ahead and look-behind are not known", "negate"],
    ["(a)\\1", "references back to a group are not known", "alternatives"],
    ["\\d++", "possessive repetitions are not known", "plain group"],
    ["(", "missing closing )", "RE2's syntax"],
    ["*a", "missing argument to repetition operator: `*`", "RE2's syntax"],
    ["a{1001}", "invalid repeat count: `{1001}`", "RE2's syntax"],
  ])("%s is refused with the reason", (pattern, reason, fix) => {
    let text = "";
    try {
      compileExpression(pattern);
    } catch (error) {
      text = messageOf(error);
    }
    expect(text).toContain(`'${pattern}'`);
    expect(text).toContain(reason);
    expect(text).toContain(fix);
  });
});
