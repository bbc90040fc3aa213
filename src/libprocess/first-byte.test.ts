import { describe, expect, it } from "vitest";
import { classify } from "./first-byte.ts";

describe("classify", () => {
  it.each<[string, number[], string]>([
    ["nothing", [], "undecided"],
    ["a TLS hello", [0x16, 3, 1, 2, 0, 1], "tls"],
    ["the start of a TLS hello", [0x16, 3, 1], "undecided"],
    ["an SSLv2-framed hello", [0x80, 0x2e, 1], "tls"],
    ["the start of an SSLv2-framed one", [0x80], "undecided"],
    ["a request", [...Buffer.from("POST")], "plain"],
    ["one letter", [0x50], "plain"],
    ["a TLS alert", [0x15, 3, 1, 0, 2, 1], "plain"],
    ["a handshake record that is no hello", [0x16, 3, 1, 2, 0, 2], "plain"],
    ["another version", [0x16, 4], "plain"],
  ])("tells %s", (_name, bytes, kind) => {
    expect(classify(Uint8Array.from(bytes))).toBe(kind);
  });
});
