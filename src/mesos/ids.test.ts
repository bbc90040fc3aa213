import { expect, it } from "vitest";
import { idOf, idProblem } from "./ids.ts";

it.each([
  ["", "empty"],
  [".", "'.'"],
  ["..", "'..'"],
  ["a/b", "'/'"],
  ["a\\b", "'\\'"],
  ["a\u0000b", "control"],
  ["a\nb", "control"],
  ["x".repeat(256), "255 bytes"],
])("the id %j would leave its folder, or be none", (id, why) => {
  expect(idProblem(id)).toContain(why);
});

it("takes the ids that frameworks use", () => {
  for (const id of ["task.1", "a b", "ünïcode", "ct:1234:0:job", "..."]) expect(idProblem(id)).toBeUndefined();
});

it("an id that is not there is an empty text", () => {
  expect([idOf(undefined), idOf({ value: "a" })]).toEqual(["", "a"]);
});
