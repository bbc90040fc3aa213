import { EngineError } from "./errors.ts";

/** Oldest API that this client speaks: Docker 1.12. */
const OLDEST_API = "1.24";
/** Newest API that this client was written against: Docker 29. Newer daemons still speak it. */
const NEWEST_API = "1.52";

/** Negative when `left` is older than `right`. Both are `major.minor`. */
export function compareApi(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split(".").map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split(".").map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

/**
 * The version to speak with a daemon that offers `newest` down to `oldest` (absent before API 1.25): the newest that
 * both know. Throws an EngineError when there is none.
 */
export function negotiateApi(newest: string, oldest: string | undefined): string {
  const valid = /^\d+\.\d+$/;
  if (!valid.test(newest)) throw new EngineError("protocol", `the Docker daemon reports API version '${newest}'`);
  if (compareApi(newest, OLDEST_API) < 0) {
    throw new EngineError(
      "protocol",
      `the Docker daemon speaks API ${newest} at most; ${OLDEST_API} (Docker 1.12) or newer is needed`,
    );
  }
  if (oldest !== undefined && valid.test(oldest) && compareApi(oldest, NEWEST_API) > 0) {
    throw new EngineError("protocol", `the Docker daemon wants API ${oldest} or newer; this agent knows ${NEWEST_API}`);
  }
  return compareApi(newest, NEWEST_API) < 0 ? newest : NEWEST_API;
}
