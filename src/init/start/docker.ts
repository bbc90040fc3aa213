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

/** Why the node goes without Docker, and the way out, in a few words. */
export function whyWithoutDocker({ error, endpoint, isExpected }: SilentDocker): string {
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | undefined)?.cause);
  if (code === "ENOENT" && !isExpected) return "not on this machine";
  if (endpoint !== undefined && (code === "ENOENT" || code === "ECONNREFUSED"))
    return `nobody listens at ${endpoint}: start it (sudo systemctl start docker), or say where it is (DOCKER_HOST)`;
  if (endpoint !== undefined && (code === "EACCES" || code === "EPERM"))
    return `${endpoint} is not for this user: sudo usermod -aG docker $USER, and log in again`;
  return messageOf(error).replace("\n  Fix: ", ": ");
}
