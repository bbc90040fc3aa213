import { expect, it } from "vitest";
import { type Fresh, inOrderOfOrigin } from "./newcomers.ts";

const at = (path: string): Fresh => ({ path }) as Fresh;

it("considers what another may have been made of before that, whenever each was seen", () => {
  const fresh = ["app.log", "app.log.2.gz", "app.log.3"].map(at);
  inOrderOfOrigin(fresh, [
    { one: at("app.log.3.gz"), isGone: false },
    { one: at("gone.log"), isGone: true },
    { one: at("app.log.4"), isGone: false },
    { one: at("gone.log.gz"), isGone: true },
  ]);
  expect(fresh.map(({ path }) => path)).toEqual([
    "gone.log",
    "app.log",
    "app.log.3",
    "app.log.4",
    "gone.log.gz",
    "app.log.2.gz",
    "app.log.3.gz",
  ]);
});
