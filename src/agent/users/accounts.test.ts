import { expect, test } from "vitest";
import { isNodeExhausted } from "./accounts.ts";

test.for([
  ["EAGAIN", "", true],
  ["ENOMEM", "", true],
  ["EMFILE", "", true],
  [2, "sh: 1: Cannot fork", true],
  [254, "fork: retry: Resource temporarily unavailable", true],
  [2, "", false],
  [1, "id: 'nobody-here': no such user", false],
  ["ENOENT", "", false],
] as const)("%s with %j is the node's own trouble: %s", ([code, stderr, expected]) => {
  expect(isNodeExhausted(code, stderr)).toBe(expected);
});
