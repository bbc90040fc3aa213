import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { Column } from "../../base/column.ts";
import { Schedule } from "./schedule.ts";

const name = fc.constantFrom("", "a", "b", "runs/1");
/** Of frameworks and executors, and others. */
const path = fc.oneof(
  fc
    .tuple(fc.constantFrom("/w/slaves/1", "/w/meta/slaves/1", "/w/meta/slaves/2", "executors"), name)
    .map((parts) => parts.join("/executors/")),
  fc.nat(5).map(String),
);

const step = fc.record({
  act: fc.constantFrom("set", "set", "set", "delete", "take"),
  path,
  time: fc.nat(20),
  most: fc.nat(4),
});

it("does what sorting them all would do", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(20), (steps, horizon) => {
      const schedule = new Schedule();
      const plain = new Map<string, number>();
      for (const { act, path, time, most } of steps) {
        if (act === "set") {
          schedule.set(path, time);
          plain.set(path, time);
        } else if (act === "delete") expect(schedule.delete(path)).toBe(plain.delete(path));
        else {
          const taken = schedule.take(time, most);
          const due = [...plain.values()].filter((at) => at <= time).sort((a, b) => a - b);
          expect(taken.map(({ removeAt }) => removeAt)).toEqual(due.slice(0, most));
          for (const { path: gone, removeAt } of taken) {
            expect(plain.get(gone)).toBe(removeAt);
            plain.delete(gone);
          }
        }
        expect(schedule.size).toBe(plain.size);
        expect(new Set(schedule.paths())).toEqual(new Set(plain.keys()));
        expect(schedule.has(path)).toBe(plain.has(path));
      }
      const times = [...plain.values()];
      const later = times.filter((at) => at > horizon);
      const { due, next } = schedule.forecast(horizon);
      expect(due).toBe(times.length - later.length);
      expect(next?.removeAt).toBe(later.length === 0 ? undefined : Math.min(...later));
      const listed = [...schedule.dueAt(horizon)].map(({ removeAt }) => removeAt).sort((a, b) => a - b);
      expect(listed).toEqual(times.filter((at) => at <= horizon).sort((a, b) => a - b));
    }),
  );
});

it("keeps the order in which those came that go at the same time", () => {
  const schedule = new Schedule();
  for (let index = 0; index < 100; index++) schedule.set(`${index}`, 7);
  const taken = [...schedule.take(7, 60), ...schedule.take(7, 60)].map(({ path }) => Number(path));
  expect(taken).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

it.each([0, 1])(
  "forgets one of two that end alike, whichever came first, and keeps the other and its neighbours",
  (which) => {
    const schedule = new Schedule();
    const folders = ["/w/slaves/1/executors/", "/w/meta/slaves/1/executors/"];
    for (const folder of folders) for (const end of ["a", "b"]) schedule.set(`${folder}${end}`, 7);
    const gone = `${folders[which]}a`;
    expect(schedule.delete(gone)).toBe(true);
    expect([schedule.has(gone), schedule.delete(gone), schedule.size]).toEqual([false, false, 3]);
    const rest = folders.flatMap((folder) => [`${folder}a`, `${folder}b`]).filter((path) => path !== gone);
    expect(new Set(schedule.paths())).toEqual(new Set(rest));
    schedule.set("/elsewhere", 7);
    expect([schedule.has(gone), ...rest.map((path) => schedule.has(path))]).toEqual([false, true, true, true]);
  },
);

it("looks at few of many", () => {
  const schedule = new Schedule();
  for (let index = 0; index < 50_000; index++) schedule.set(`${index}`, index);
  const looks = vi.spyOn(Column.prototype, "get");
  try {
    expect(schedule.take(63, 64)).toHaveLength(64);
    expect(schedule.forecast(70).due).toBe(7);
    expect(schedule.delete("40000")).toBe(true);
    // For each of 64: what is said of it, and two children on each of sixteen floors, compared with each other and with it.
    expect(looks.mock.calls.length).toBeGreaterThan(64);
    expect(looks.mock.calls.length).toBeLessThan(64 * 300);
  } finally {
    looks.mockRestore();
  }
});
