import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import { isDockerExpected, lookForDocker, withoutDocker } from "./docker.ts";

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

test.each([
  ["ENOENT", endpoint, "sudo systemctl start docker"],
  ["ENOENT", "unix:///run/user/1000/podman/podman.sock", "start it (systemctl --user start podman.socket)"],
  ["ENOENT", "unix:///run/podman/podman.sock", "start it (sudo systemctl start podman.socket)"],
  ["EACCES", endpoint, "sudo usermod -aG docker $USER"],
  ["EACCES", "unix:///run/podman/podman.sock", "DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"],
])("%s of %s is mended by: %s", (code, where, fix) => {
  const line = withoutDocker({ error: failed(code), endpoint: where, isExpected: true });
  expect(line).toContain(fix);
  expect(line).toContain(", then start the node again. A task");
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

describe("where the environment says", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "start-docker-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("it is expected where somebody names it, or its command is on the PATH", () => {
    const PATH = `/nowhere:${folder}`;
    expect(isDockerExpected({ PATH, DOCKER_HOST: "" })).toBe(false);
    expect(isDockerExpected({ PATH, DOCKER_HOST: "tcp://dock" })).toBe(true);
    expect(isDockerExpected({ PATH, MESOS_DOCKER_SOCKET: "/run/d.sock" })).toBe(true);
    writeFileSync(join(folder, "docker"), "");
    expect(isDockerExpected({ PATH })).toBe(true);
  });

  test("what is named and not there, or makes no sense, is said", async () => {
    const socket = join(folder, "no.sock");
    for (const [variables, words] of [
      [{ DOCKER_HOST: `unix://${socket}` }, `nobody listens at unix://${socket}: `],
      [{ MESOS_DOCKER_SOCKET: socket }, `nobody listens at unix://${socket}: `],
      [{ DOCKER_HOST: "ssh://x" }, "'ssh://x' is not an address of a Docker daemon"],
    ] as const)
      expect(await lookForDocker({ PATH: folder, ...variables }, systemClock)).toHaveProperty(
        "without",
        expect.stringContaining(words),
      );
  });

  /** What `variables` make of a server on this machine, which is closed then. */
  const saidOfServer = async (server: Server, variables: Record<string, string>): Promise<unknown> => {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const environment = { PATH: folder, DOCKER_HOST: `tcp://127.0.0.1:${port}`, ...variables };
    const docker = await lookForDocker(environment, systemClock);
    server.close();
    return docker;
  };

  test("one that answers is named by its version", async () => {
    const version = JSON.stringify({ Version: "27.0.3", ApiVersion: "1.46", MinAPIVersion: "1.24" });
    const server = createHttpServer((_, response) => void response.end(version));
    expect(await saidOfServer(server, {})).toEqual({ version: "27.0.3" });
  });

  test("one that DOCKER_TLS names is asked by TLS", async () => {
    const first: number[] = [];
    const server = createServer((socket) => {
      socket.once("data", (bytes) => {
        first.push(Number(bytes[0]));
        socket.destroy();
      });
    });
    expect(await saidOfServer(server, { DOCKER_TLS: "1" })).toHaveProperty("without");
    // A TLS record of the type handshake.
    expect(first[0]).toBe(0x16);
  });
});
