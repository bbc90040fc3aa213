import { expect, it } from "vitest";
import { sessionFrame } from "./request.ts";

const request = {
  cwd: "/s",
  user: { uid: 1000, gid: 100, groups: [100, 27] },
  controlGroups: ["/g/cgroup.procs"],
  file: "/bin/sh",
  argv: ["sh", "-c", "echo a\nb"],
  environment: { A: "1" },
  window: { rows: 40, columns: 120 },
  namespacesOf: 77,
};
const fieldsOf = (frame: Buffer): string[] => frame.subarray(4).toString().split("\0");

it("a session's frame is what the script splits", () => {
  const frame = sessionFrame(request);
  expect(frame.readUInt32BE()).toBe(frame.length - 4);
  const place = ["/s", "1000", "100", "100 27", "40", "120", "77"];
  expect(fieldsOf(frame)).toEqual([...place, "1", "/g/cgroup.procs", "/bin/sh", "3", ...request.argv, "A=1"]);
  const bare = { ...request, user: undefined, window: undefined, namespacesOf: undefined };
  expect(fieldsOf(sessionFrame(bare)).slice(0, 7)).toEqual(["/s", "", "", "", "", "", ""]);
});

it("what no process can take is refused", () => {
  expect(() => sessionFrame({ ...request, argv: ["a\0b"] })).toThrow("NUL");
});
