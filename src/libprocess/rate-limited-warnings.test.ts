import { expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import { RateLimitedWarnings } from "./rate-limited-warnings.ts";

it("passes on a few warnings per window and counts the rest", async () => {
  const lines: string[] = [];
  const clock = new TestClock();
  const complaints = new RateLimitedWarnings({ ...silentLogger, warn: (line) => lines.push(line) }, clock);
  for (let count = 0; count < 1_000; count++) complaints.warn(`bad ${count}`);
  expect(lines).toHaveLength(20);
  await clock.advance(10_000);
  complaints.warn("again");
  expect(lines.slice(20)).toEqual(["980 more warnings about peers like those above were left out", "again"]);
});
