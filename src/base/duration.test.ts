import { expect, test } from "vitest";
import { parseDuration, parseSeconds } from "./duration.ts";

test.for(["5mins", "5min", "5m", "300s", "300secs", "300sec", "5minutes", "300000ms", "5 mins"])(
  "%s is five minutes",
  (text) => {
    expect(parseDuration(text)).toBe(300_000);
  },
);

test.for([
  ["1h", 3_600_000],
  ["1d", 86_400_000],
  ["1w", 604_800_000],
  ["1.5m", 90_000],
] as const)("%s", ([text, milliseconds]) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.for(["5", "m", "5x", "5M", "five mins", ""])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow("is not a duration");
});

test("seconds, as a number or a duration", () => {
  expect(["30", " 30 ", "30s", "5m", "1500ms"].map(parseSeconds)).toEqual([30, 30, 30, 300, 1.5]);
  expect(() => parseSeconds("soon")).toThrow("is not a duration");
});
