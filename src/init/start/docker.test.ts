import { expect, test } from "vitest";
import { UserError } from "../../base/errors.ts";
import { whyWithoutDocker } from "./docker.ts";

const endpoint = "unix:///var/run/docker.sock";
const failed = (code: string): Error =>
  new Error("cannot reach it", { cause: Object.assign(new Error("connect"), { code }) });

test.each([
  ["a machine without it is nothing to mend", "ENOENT", false, "not on this machine"],
  ["installed, and not running", "ENOENT", true, `nobody listens at ${endpoint}: start it `],
  ["what it left lies there still", "ECONNREFUSED", false, `nobody listens at ${endpoint}: start it `],
  ["another user's", "EACCES", false, `${endpoint} is not for this user: sudo usermod -aG docker $USER`],
  ["a guarded one", "EPERM", true, `${endpoint} is not for this user: `],
  ["anything else in its own words", "ECONNRESET", true, "cannot reach it"],
])("%s", (_, code, isExpected, words) => {
  expect(whyWithoutDocker({ error: failed(code), endpoint, isExpected })).toContain(words);
});

test("an address that makes no sense, certificates that are not there", () => {
  const error = new UserError("'docker' is not an address of a Docker daemon", "give a socket's path");
  const line = "'docker' is not an address of a Docker daemon: give a socket's path";
  expect(whyWithoutDocker({ error, endpoint: undefined, isExpected: true })).toBe(line);
  const missing = Object.assign(new Error("cannot read ca.pem"), { code: "EACCES" });
  expect(whyWithoutDocker({ error: missing, endpoint: undefined, isExpected: true })).toBe("cannot read ca.pem");
});
