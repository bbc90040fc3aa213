import { expect, it } from "vitest";
import { controlGroupVersions, machineCpus } from "./machine.ts";

it("CPUs are counted one by one, not their sum", () => {
  expect(machineCpus(() => "cpu  1 2\ncpu0 1 2\ncpu1 1 2\nintr 5\n")).toBe(2);
  expect(
    machineCpus(() => {
      throw new Error("no /proc");
    }),
  ).toBeUndefined();
});

it.each([
  ["cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"],
  ["cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", "v1"],
  ["cgroup2 /a cgroup2 rw 0 0\ncgroup /b cgroup rw,cpu 0 0\n", "v1 and v2"],
  ["tmpfs /cgroup tmpfs rw 0 0\n", undefined],
])("%j is %s", (mounts, versions) => {
  expect(controlGroupVersions(() => mounts)).toBe(versions);
});
