import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lookAt } from "./look.ts";
import { pathsBelow } from "./paths.ts";
import { resolve } from "./resolve.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "look-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const socketFor = async (environment: Record<string, string>) => {
  const sources = { root: folder, readFile: String, localAddress: () => undefined };
  const resolution = resolve({ environment, ...sources });
  return (await lookAt(resolution, pathsBelow(folder), 0, [])).facts.dockerSocket;
};

test("Docker's socket is looked for where the agent looks for it", async () => {
  const own = join(folder, "own.sock");
  const absent = { path: own, state: "absent" };
  expect(await socketFor({})).toMatchObject({ path: "/var/run/docker.sock" });
  // Rootless Docker and Podman, as people set it.
  expect(await socketFor({ DOCKER_HOST: `unix://${own}` })).toEqual(absent);
  expect(await socketFor({ MESOS_DOCKER_SOCKET: `unix://${own}`, DOCKER_HOST: "tcp://dock" })).toEqual(absent);
  expect(await socketFor({ MESOS_DOCKER_SOCKET: own })).toEqual(absent);
});

test("a Docker elsewhere, and an address that makes no sense, are no socket of this machine", async () => {
  for (const environment of [
    { DOCKER_HOST: "tcp://dock:2375" },
    { MESOS_DOCKER_SOCKET: "tcp://dock:2375" },
    { DOCKER_HOST: "ssh://dock" },
  ])
    expect(await socketFor(environment as Record<string, string>)).toBeUndefined();
});
