import { describe, expect, it } from "vitest";
import { UserError } from "../base/errors.ts";
import { parseCredential } from "./credential.ts";

describe("parseCredential", () => {
  it("reads both forms", () => {
    const expected = { principal: "tim", secret: "tanstaaf" };
    expect(parseCredential("tim tanstaaf\n", "f")).toEqual(expected);
    expect(parseCredential("tim tanstaaf\r\nrest\n", "f")).toEqual(expected);
    expect(parseCredential('\n{"principal": "tim", "secret": "tanstaaf"}', "f")).toEqual(expected);
  });

  it.each(["", "tim", "tim a b", "{", '{"principal": "tim"}', '{"principal": "tim", "secret": 5}', "[]"])(
    "refuses %j, naming the file and not the content",
    (text) => {
      try {
        parseCredential(text, "/etc/credential");
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        expect((error as UserError).text).toContain("/etc/credential");
        if (text !== "") expect((error as UserError).message).not.toContain("tim");
      }
    },
  );
});
