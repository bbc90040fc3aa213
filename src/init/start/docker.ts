import { codeOf, messageOf } from "../../base/errors.ts";

/** What was found out of a Docker that does not answer. */
export interface SilentDocker {
  /** What asking it ended with, or looking for its address. */
  readonly error: unknown;
  /** Its address, where that makes sense. */
  readonly endpoint: string | undefined;
  /** Somebody named an address, or its command is on the PATH: it is expected here. */
  readonly isExpected: boolean;
}

function whyNot(code: string | undefined, { error, endpoint }: SilentDocker): string {
  if (endpoint !== undefined && (code === "ENOENT" || code === "ECONNREFUSED"))
    return `nobody listens at ${endpoint}: start it (sudo systemctl start docker), or say where it is (DOCKER_HOST)`;
  if (endpoint !== undefined && (code === "EACCES" || code === "EPERM"))
    return `${endpoint} is not for this user: sudo usermod -aG docker $USER, and log in again`;
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
