import { posix } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileOwner } from "./owner.ts";
import { ShownRuns } from "./shown-runs.ts";

const FOLDER = "/w/slaves/S/frameworks/F/executors";
const by = (user: string): FileOwner => ({ kind: "sandbox", user });
const LATEST = { isLatest: true };
const PAST = { isLatest: false };

it("shows a sandbox under its own path, as the latest of its executor, and by its framework", () => {
  const runs = new ShownRuns();
  const real = `${FOLDER}/e/runs/c`;
  runs.attach(real, by("alice"), LATEST);
  const names = [real, `${FOLDER}/e/runs/latest`, "/frameworks/F/executors/e/runs/latest"];
  expect(names.map((name) => runs.realOf(name))).toEqual([real, real, real]);
  expect(new Map(runs.entries())).toEqual(new Map(names.map((name) => [name, real])));
  expect(runs.ownerOf(real)).toEqual(by("alice"));
  for (const other of [
    "/frameworks/F/executors/e/runs/c",
    "/frameworks/F/executors/f/runs/latest",
    `${FOLDER}/e/runs/d`,
    `${FOLDER}/e/runs`,
    `${FOLDER}/e`,
    `${real}/stdout`,
    "/",
    "",
    "/runs/latest",
  ])
    expect(runs.realOf(other)).toBeUndefined();
});

describe("a later run", () => {
  const [first, second] = [`${FOLDER}/e/runs/1`, `${FOLDER}/e/runs/2`];
  const both = (): ShownRuns => {
    const runs = new ShownRuns();
    runs.attach(first, by("alice"), LATEST);
    runs.attach(second, by("bob"), LATEST);
    return runs;
  };

  it("is the latest from then on; the earlier one stays, its owner's", () => {
    const runs = both();
    expect([first, second, `${FOLDER}/e/runs/latest`].map((name) => runs.realOf(name))).toEqual([
      first,
      second,
      second,
    ]);
    expect([first, second].map((real) => runs.ownerOf(real))).toEqual([by("alice"), by("bob")]);
  });

  it("leaves no latest when it goes first", () => {
    const runs = both();
    runs.detachBelow(second);
    expect(new Map(runs.entries())).toEqual(new Map([[first, first]]));
    runs.detachBelow(first);
    expect([...runs.entries()]).toEqual([]);
  });

  it("is not put behind one of the past", () => {
    const runs = both();
    runs.attach(first, by("alice"), PAST);
    runs.attach(second, by("bob"), PAST);
    expect(runs.realOf("/frameworks/F/executors/e/runs/latest")).toBe(second);
  });
});

it("finds a framework's name in the folder of the newest agent id", () => {
  const runs = new ShownRuns();
  const later = "/w/slaves/S2/frameworks/F/executors/e/runs/2";
  runs.attach(`${FOLDER}/e/runs/1`, by("alice"), LATEST);
  runs.attach(later, by("alice"), LATEST);
  expect(runs.realOf("/frameworks/F/executors/e/runs/latest")).toBe(later);
});

it("takes nothing that is no sandbox of a run", () => {
  for (const path of ["", "/", "/sandbox", "/runs/c", "/w/e/runs", "/w/e/runs/"])
    expect(() => new ShownRuns().attach(path, by("alice"), LATEST)).toThrow("is not the sandbox of a run");
});

it("does what looking at every name would do", () => {
  const folder = fc.constantFrom(FOLDER, "/w/slaves/S/frameworks/G/executors", "/w/executors/runs");
  const id = fc.constantFrom("e", "runs", "latest-", "executors");
  const sandbox = fc.tuple(folder, id, fc.constantFrom("1", "2", "runs")).map(([at, e, c]) => `${at}/${e}/runs/${c}`);
  const above = fc.tuple(sandbox, fc.nat(6)).map(([path, up]) => {
    let at = path;
    for (let step = 0; step < up; step++) at = posix.dirname(at);
    return at === "/" ? "/w" : at;
  });
  const step = fc.record({ act: fc.constantFrom("latest", "latest", "past", "below"), sandbox, above });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const runs = new ShownRuns();
      const plain = new Map<string, string>();
      for (const { act, sandbox: real, above: tree } of steps) {
        if (act === "below") {
          runs.detachBelow(tree);
          for (const [name, value] of plain) if (value === tree || value.startsWith(`${tree}/`)) plain.delete(name);
        } else {
          runs.attach(real, by("alice"), { isLatest: act === "latest" });
          plain.set(real, real);
          if (act === "latest") {
            plain.set(posix.join(posix.dirname(real), "latest"), real);
            const [name] = /\/frameworks\/.*\/runs\//.exec(real) ?? [];
            if (name !== undefined) plain.set(`${name}latest`, real);
          }
        }
        expect(new Map(runs.entries())).toEqual(plain);
        for (const [name, value] of plain) expect(runs.realOf(name)).toBe(value);
      }
    }),
  );
});
