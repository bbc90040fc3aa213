import { expect, it } from "vitest";
import { TOKEN_VARIABLE, withoutToken } from "./executor-token.ts";

it("is left out, and nothing else", () => {
  expect(withoutToken({ A: "1", [TOKEN_VARIABLE]: "secret" })).toEqual({ A: "1" });
});
