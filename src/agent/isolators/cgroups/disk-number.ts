import { readFileSync, statSync } from "node:fs";
import { codeOf } from "../../../base/errors.ts";

/**
 * `major:minor` of the disk that a block device is, or is a partition of: limits are the disk's. undefined for what is none.
 */
export function diskNumber(path: string): string | undefined {
  try {
    const status = statSync(path);
    if (!status.isBlockDevice()) return undefined;
    const own = numberOf(status.rdev);
    try {
      readFileSync(`/sys/dev/block/${own}/partition`);
    } catch {
      return own;
    }
    // The folder is a link: the one above is the disk's.
    return readFileSync(`/sys/dev/block/${own}/../dev`, "utf8").trim();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** As the C library takes a dev_t apart; the parts beyond 32 bits are never used for disks. */
function numberOf(rdev: number): string {
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
