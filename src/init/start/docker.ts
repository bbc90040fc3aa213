import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { endpointText, engineEndpoint } from "../../docker/endpoint.ts";
import { HttpEngine } from "../../docker/http-engine.ts";
import { onPath } from "./environment.ts";
import type { Up } from "./screen.ts";

/** What was found out of a Docker that does not answer. */
export interface SilentDocker {
  /** What asking it ended with, or looking for its address. */
  readonly error: unknown;
  /** Its address, where that makes sense. */
  readonly endpoint: string | undefined;
  /** See `isDockerExpected`. */
  readonly isExpected: boolean;
}

/** Podman's has no group to join: each user has one, which systemd starts for whoever asks. */
const isPodman = (endpoint: string): boolean => /podman/.test(endpoint);

function startIt(endpoint: string): string {
  if (!isPodman(endpoint)) return "start it (sudo systemctl start docker)";
  return `start it (${endpoint.includes("/run/user/") ? "systemctl --user" : "sudo systemctl"} start podman.socket)`;
}

const getIn = (endpoint: string): string =>
  isPodman(endpoint)
    ? "take your own (systemctl --user start podman.socket; DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock)"
    : "sudo usermod -aG docker $USER and log in again";

function whyNot(code: string | undefined, { error, endpoint }: SilentDocker): string {
  if (endpoint !== undefined && (code === "ENOENT" || code === "ECONNREFUSED"))
    return `nobody listens at ${endpoint}: ${startIt(endpoint)} or say where it is (DOCKER_HOST), then start the node again`;
  if (endpoint !== undefined && (code === "EACCES" || code === "EPERM"))
    return `${endpoint} is not for this user: ${getIn(endpoint)}, then start the node again`;
  return messageOf(error).replace("\n  Fix: ", ": ");
}

/** One line: why the node goes without Docker, the way out, and what that means. */
export function withoutDocker(silent: SilentDocker): string {
  const { error, isExpected } = silent;
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | undefined)?.cause);
  if (code === "ENOENT" && !isExpected)
    return "not on this machine: a task with an image fails at once, all others run";
  return `${whyNot(code, silent)}. A task with an image fails at once, all others run`;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Somebody names an address, or the docker command is on the PATH. */
export function isDockerExpected(environment: Environment): boolean {
  return Boolean(environment["MESOS_DOCKER_SOCKET"] || environment["DOCKER_HOST"]) || onPath("docker", environment);
}

/** Docker's version, when a daemon answers where `environment` says; otherwise why not. */
export async function lookForDocker(environment: Environment, clock: Clock): Promise<Up["docker"]> {
  let address: string | undefined;
  try {
    const endpoint = engineEndpoint((name) => environment[name]);
    address = endpointText(endpoint);
    const engine = new HttpEngine(endpoint, clock, { quick: 2000, slow: 2000 });
    try {
      return { version: (await engine.version()).version };
    } finally {
      await engine.close();
    }
  } catch (error) {
    return { without: withoutDocker({ error, endpoint: address, isExpected: isDockerExpected(environment) }) };
  }
}
