import { expect, test } from "vitest";
import { formatDuration, parseDuration, parseSeconds } from "./duration.ts";

test.for([
  ["5mins", 300_000],
  ["5min", 300_000],
  ["5m", 300_000],
  ["300s", 300_000],
  ["300secs", 300_000],
  ["1.5h", 5_400_000],
  ["2hrs", 7_200_000],
  ["1d", 86_400_000],
  ["1w", 604_800_000],
  ["5ms", 5],
  ["5 mins", 300_000],
] as const)("%s", ([text, milliseconds]) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.for(["", "5", "m", "5x", "5mins5", "1h30m"])("'%s' is none", (text) => {
  expect(() => parseDuration(text)).toThrow(`'${text}' is not a duration`);
});

test("printed as Mesos does", () => {
  expect(formatDuration(300_000)).toBe("5mins");
  expect(formatDuration(1500)).toBe("1500ms");
});

test("seconds, as a number or a duration", () => {
  expect(["30", " 30 ", "30s", "5m", "1500ms"].map(parseSeconds)).toEqual([30, 30, 30, 300, 1.5]);
  expect(() => parseSeconds("soon")).toThrow("'soon' is not a duration");
});
