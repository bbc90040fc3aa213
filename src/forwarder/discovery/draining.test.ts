import { expect, it } from "vitest";
import { enter } from "../model/lifecycle.ts";
import type { Source } from "../model/source.ts";
import { Draining } from "./draining.ts";

it("names those without a name, once each, until their life goes on", () => {
  const draining = new Draining();
  const [back, stays] = ["back", "stays"].map((name) => ({ name, stage: "at-end" }) as Source) as [Source, Source];
  for (const source of [back, stays, stays]) draining.add(source);
  expect(draining.current()).toEqual([back, stays]);
  expect(back.stage).toBe("draining");
  enter(back, "held");
  expect(draining.current()).toEqual([stays]);
  enter(stays, "gone");
  expect(draining.current()).toEqual([]);
});
