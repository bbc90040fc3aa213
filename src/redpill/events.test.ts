import fc from "fast-check";
import { expect, test } from "vitest";
import { EventParser, type SupervisorEvent } from "./events.ts";

const wire = (name: string, payload: string): string =>
  `ver:3.0 server:supervisor serial:21 pool:listener poolserial:10 eventname:${name} len:${payload.length}\n${payload}`;

const stream =
  wire("PROCESS_STATE_EXITED", "processname:mesos groupname:mesos from_state:RUNNING expected:0 pid:7") +
  wire("PROCESS_STATE_FATAL", "processname:mesos groupname:g from_state:BACKOFF");

const expected: SupervisorEvent[] = [
  { name: "PROCESS_STATE_EXITED", group: "mesos", process: "mesos", expected: false },
  { name: "PROCESS_STATE_FATAL", group: "g", process: "mesos", expected: false },
];

test("however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const parser = new EventParser();
      const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const events = at.flatMap((end, index) => parser.push(Buffer.from(stream.slice(at[index - 1] ?? 0, end))));
      expect(events).toEqual(expected);
    }),
  );
});

test("an expected exit is told from another", () => {
  const text = wire("PROCESS_STATE_EXITED", "processname:a groupname:b from_state:RUNNING expected:1 pid:7");
  expect(new EventParser().push(Buffer.from(text))[0]?.expected).toBe(true);
});

test.for(["no header\n", "eventname:X\n", "eventname:X len:-1\n", "eventname:X len:99999999\n", "x".repeat(70_000)])(
  "%s is refused",
  (text) => {
    expect(() => new EventParser().push(Buffer.from(text))).toThrow("event protocol");
  },
);
