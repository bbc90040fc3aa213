import { describe, expect, it } from "vitest";
import { Origins } from "./origins.ts";

const master = "https://master1.example:5050";
const other = "https://any.example";

/** Who may read an answer, and what it varies by. */
const said = (given: readonly string[], origin: string | undefined, vary?: string) => {
  const headers = new Origins(given).headers(origin === undefined ? {} : { origin }, true, vary);
  return [headers["access-control-allow-origin"], headers["vary"]];
};

describe("where origins are named, every answer varies by them, for the sake of caches", () => {
  it.each([
    ["one to nobody's page", [master], undefined, undefined],
    ["one to a page that may not read", [master], other, undefined],
    ["one to a page that may", [master], master, master],
    ["one that all may read, to nobody's page", [master, "*"], undefined, "*"],
    ["one that all may read, to some page", [master, "*"], other, "*"],
    ["one that all may read, to a named page", [master, "*"], master, master],
  ])("%s", (_what, given, origin, allowed) => {
    expect(said(given, origin)).toEqual([allowed, "Origin"]);
    expect(said(given, origin, "Accept-Encoding")).toEqual([allowed, "Accept-Encoding, Origin"]);
  });

  it.each([
    ["all may read", ["*"]],
    ["nobody has said who may, and it is public", []],
  ])("where %s, all answers are the same to everybody: nothing is to be kept apart", (_what, given) => {
    for (const origin of [undefined, other, "null"]) expect(said(given, origin)).toEqual(["*", undefined]);
  });
});
