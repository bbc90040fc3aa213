import { expect, test } from "vitest";
import { UserError } from "../../base/errors.ts";
import { withoutDocker } from "./docker.ts";

const consequence = "A task with an image fails at once, all others run";
const endpoint = "unix:///var/run/docker.sock";
const failed = (code: string): Error =>
  new Error("cannot reach it", { cause: Object.assign(new Error("connect"), { code }) });

test.each([
  ["a machine without it is nothing to mend", "ENOENT", false, "not on this machine: "],
  ["installed, and not running", "ENOENT", true, `nobody listens at ${endpoint}: start it `],
  ["what it left lies there still", "ECONNREFUSED", false, `nobody listens at ${endpoint}: start it `],
  ["another user's", "EACCES", false, `${endpoint} is not for this user: sudo usermod -aG docker $USER`],
  ["a guarded one", "EPERM", true, `${endpoint} is not for this user: `],
  ["anything else in its own words", "ECONNRESET", true, "cannot reach it"],
])("%s", (_, code, isExpected, words) => {
  const line = withoutDocker({ error: failed(code), endpoint, isExpected });
  expect(line).toContain(words);
  expect(line).toMatch(/(: a|\. A) task with an image fails at once, all others run$/);
});

test("an address that makes no sense, certificates that are not there", () => {
  const error = new UserError("'docker' is not an address of a Docker daemon", "give a socket's path");
  const line = "'docker' is not an address of a Docker daemon: give a socket's path.";
  expect(withoutDocker({ error, endpoint: undefined, isExpected: true })).toBe(`${line} ${consequence}`);
  const missing = Object.assign(new Error("cannot read ca.pem"), { code: "EACCES" });
  expect(withoutDocker({ error: missing, endpoint: undefined, isExpected: true })).toBe(
    `cannot read ca.pem. ${consequence}`,
  );
});
