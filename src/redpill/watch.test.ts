import { expect, test } from "vitest";
import type { ProcessInfo, ProcessState } from "../supervisor/supervisor.ts";
import type { SupervisorEvent } from "./events.ts";
import { matches, Watch, type WatchRules } from "./watch.ts";

const rules: WatchRules = { services: ["mesos"], restarts: 3, window: 60_000, exited: 10_000 };

const event = (name: string, options: Partial<SupervisorEvent> = {}): SupervisorEvent => ({
  name: `PROCESS_STATE_${name}`,
  group: "mesos",
  process: "mesos",
  expected: false,
  ...options,
});

const info = (state: ProcessState, options: Partial<ProcessInfo> = {}): ProcessInfo => ({
  group: "mesos",
  name: "mesos",
  state,
  start: 1,
  exitStatus: 0,
  spawnError: "",
  ...options,
});

test.for([
  ["mesos", "mesos", "mesos", true],
  ["mesos", "group", "mesos", true],
  ["group:mesos", "group", "mesos", true],
  ["group:mesos", "other", "mesos", false],
  ["group:*", "group", "anything", true],
  ["group:*", "other", "anything", false],
  ["mesos", "mesos", "other", false],
] as const)("%s watches %s:%s: %s", ([pattern, group, name, expected]) => {
  expect(matches(pattern, group, name)).toBe(expected);
});

test("FATAL of a watched service, by event and by poll", () => {
  expect(new Watch(rules).event(event("FATAL"), 0)).toMatchObject({ service: "mesos", code: 70 });
  const verdict = new Watch(rules).poll([info("FATAL", { spawnError: "can't find command" })], 0);
  expect(verdict?.reason).toBe("mesos entered the FATAL state (can't find command)");
});

test("another service's FATAL is none of its business", () => {
  const watch = new Watch(rules);
  expect(watch.event(event("FATAL", { group: "other", process: "other" }), 0)).toBeUndefined();
  expect(watch.poll([info("FATAL", { group: "other", name: "other" }), info("RUNNING")], 0)).toBeUndefined();
});

test("ends are counted within the window only", () => {
  const watch = new Watch(rules);
  expect(watch.event(event("EXITED"), 0)).toBeUndefined();
  expect(watch.event(event("EXITED"), 30_000)).toBeUndefined();
  expect(watch.event(event("EXITED"), 61_000)).toBeUndefined();
  expect(watch.event(event("EXITED"), 62_000)).toMatchObject({ code: 71, reason: "mesos ended 3 times within 60 s" });
});

test("a service stopped by hand has not failed", () => {
  const watch = new Watch(rules);
  for (let now = 0; now < 10; now++) {
    expect(watch.event(event("STOPPING"), now)).toBeUndefined();
    expect(watch.event(event("STOPPED"), now)).toBeUndefined();
  }
  expect(watch.poll([info("STOPPED")], 1e9)).toBeUndefined();
});

test("EXITED with 0 counts as failed after its time, unless it runs again", () => {
  const watch = new Watch(rules);
  expect(watch.event(event("EXITED", { expected: true }), 1000)).toBeUndefined();
  expect(watch.nextDeadline()).toBe(11_000);
  expect(watch.poll([info("EXITED")], 10_999)).toBeUndefined();
  expect(watch.poll([info("EXITED")], 11_000)).toMatchObject({ code: 72 });
  expect(watch.event(event("STARTING"), 11_001)).toBeUndefined();
  expect(watch.nextDeadline()).toBeUndefined();
});

test("0 switches a rule off", () => {
  const watch = new Watch({ ...rules, restarts: 0, exited: 0 });
  for (let now = 0; now < 100; now++) expect(watch.event(event("EXITED"), now)).toBeUndefined();
  expect(watch.poll([info("EXITED")], 1e9)).toBeUndefined();
  expect(watch.nextDeadline()).toBeUndefined();
});

test("without events: restarted at every poll of a whole window", () => {
  const watch = new Watch(rules);
  for (let poll = 0; poll < 3; poll++)
    expect(watch.poll([info("RUNNING", { start: poll })], poll * 30_000)).toBeUndefined();
  expect(watch.poll([info("RUNNING", { start: 3 })], 90_000)).toMatchObject({ code: 71 });
  const calm = new Watch(rules);
  for (let poll = 0; poll < 10; poll++)
    expect(calm.poll([info("RUNNING", { start: Math.floor(poll / 2) })], poll * 30_000)).toBeUndefined();
});

test("patterns that nothing matches", () => {
  const watch = new Watch({ ...rules, services: ["mesos", "nothing", "group:*"] });
  expect(watch.unknown([info("RUNNING")])).toEqual(["nothing", "group:*"]);
});
