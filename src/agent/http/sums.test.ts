import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Resources } from "../../mesos/resources.ts";
import { parseResources, resourcesSummary } from "../../mesos/resources-text.ts";
import { summaryOf, sumOf } from "./sums.ts";

const item = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("cpus", "mem", "widgets"),
      fc.constantFrom("", "(a)", "(b)"),
      fc.integer({ min: 1, max: 9999 }),
    )
    .map(([name, role, thousandths]) => `${name}${role}:${thousandths / 1000}`),
  fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 9 }))
    .map(([from, more]) => `ports:[${from}-${from + more}]`),
);

describe("sums for /state", () => {
  it("are those of the whole algebra", () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), fc.boolean(), (items, allocated) => {
        const bags = items.map((text) => (allocated ? parseResources(text).allocatedTo("a") : parseResources(text)));
        const messages = bags.flatMap((bag) => bag.toMessages());
        const whole = Resources.of(messages).unallocated();
        expect(summaryOf(messages)).toEqual(resourcesSummary(whole));
        expect(sumOf(messages).equals(whole)).toBe(true);
      }),
    );
  });
});
