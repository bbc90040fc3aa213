import { expect, test } from "vitest";
import { type Options, optionsOf } from "./options.ts";

const options = (words: readonly string[], environment = {}, isListener = false): Options =>
  optionsOf(words, environment, isListener) as Options;

test.for([
  [["-s", "mesos", "-i", "5"], 5000],
  [["--service", "mesos", "--interval", "5s"], 5000],
  [["--service=mesos", "--interval=5mins"], 300_000],
  [["-s", "mesos", "--inerval", "5m"], 300_000],
  [["-s", "mesos"], 30_000],
] as const)("%j: every %i ms", ([words, interval]) => {
  expect(options(words).interval).toBe(interval);
});

test("services add up, separated by commas or repeated", () => {
  expect(options(["-s", "a, b", "--service=c:*"]).services).toEqual(["a", "b", "c:*"]);
});

test.for([
  [["--servce=mesos"], "--service"],
  [["-s", "mesos", "--intervl=5"], "--interval"],
  [["-s", "mesos", "--clean-up=/x"], "--cleanup"],
] as const)("%j: the nearest option", ([words, near]) => {
  expect(() => optionsOf(words, {})).toThrow(expect.objectContaining({ exitCode: 64, fix: `did you mean ${near}?` }));
});

test("help and version, whatever else is there", () => {
  expect(optionsOf(["--help"], {})).toBe("help");
  expect(optionsOf(["-h"], {})).toBe("help");
  expect(optionsOf(["--version"], {})).toBe("version");
});

test("the container's own watchdog takes from its variables what its command leaves out; one by hand does not", () => {
  const environment = {
    SERVICE_REDPILL_MONITOR: "mesos,own",
    SERVICE_REDPILL_INTERVAL: "7",
    SERVICE_REDPILL_CLEANUP: "/clean-up.sh",
  };
  expect(options([], environment, true)).toMatchObject({
    services: ["mesos", "own"],
    interval: 7000,
    cleanup: "/clean-up.sh",
  });
  expect(options(["-s", "x", "-i", "1"], environment, true)).toMatchObject({ services: ["x"], interval: 1000 });
  expect(() => optionsOf([], environment)).toThrow(expect.objectContaining({ exitCode: 65 }));
});

test("variables without a flag may be durations; a wrong one is named", () => {
  const environment = {
    SERVICE_REDPILL_WINDOW: "5m",
    SERVICE_REDPILL_EXITED: "0",
    SERVICE_REDPILL_CLEANUP_TIMEOUT: "45secs",
  };
  expect(options(["-s", "mesos"], environment)).toMatchObject({ window: 300_000, exited: 0, cleanupTimeout: 45_000 });
  expect(() => optionsOf(["-s", "mesos"], { SERVICE_REDPILL_RESTARTS: "many" })).toThrow("SERVICE_REDPILL_RESTARTS");
});
