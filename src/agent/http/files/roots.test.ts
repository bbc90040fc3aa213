import fc from "fast-check";
import { expect, it } from "vitest";
import { LOG } from "./owner.ts";
import { Roots } from "./roots.ts";

it("takes away a tree with all its names, and nothing beside it", () => {
  const roots = new Roots();
  for (const real of ["/w/a", "/w/a-b", "/w/a/x", "/w/a/x/y", "/w/a0", "/w/b"]) roots.attach(real, real, LOG);
  roots.attach("/w/a/x", "/latest", LOG);
  roots.detachBelow("/w/a");
  expect([...roots.entries()]).toEqual(["/w/a-b", "/w/a0", "/w/b"].map((real) => [real, real]));
  expect(roots.realOf("/latest")).toBeUndefined();
});

it("moves a virtual path: the tree that it showed before no longer takes it along", () => {
  const roots = new Roots();
  roots.attach("/w/1", "/latest", LOG);
  roots.attach("/w/2", "/latest", LOG);
  roots.detachBelow("/w/1");
  expect([...roots.entries()]).toEqual([["/latest", "/w/2"]]);
});

it("does what looking at every entry would do", () => {
  const part = fc.constantFrom("a", "a-", "a0", "b", "é");
  const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
  const step = fc.record({ act: fc.constantFrom("attach", "attach", "detach", "below"), path, virtual: path });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const roots = new Roots();
      const plain = new Map<string, string>();
      for (const { act, path: real, virtual } of steps) {
        if (act === "attach") {
          roots.attach(real, virtual, LOG);
          plain.set(virtual, real);
        } else if (act === "detach") {
          roots.detach(virtual);
          plain.delete(virtual);
        } else {
          roots.detachBelow(real);
          for (const [key, value] of plain) if (value === real || value.startsWith(`${real}/`)) plain.delete(key);
        }
        expect(new Map(roots.entries())).toEqual(plain);
      }
    }),
  );
});
