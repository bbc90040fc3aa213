/**
 * The Mesos release whose protocol and behaviour we follow, as we claim it in messages and endpoints. Masters since 1.3
 * silently ignore agents below 1.0.0; nothing else is decided by it, capabilities decide.
 */
export const MESOS_VERSION = "1.11.0";
/** The commit of that release. */
export const MESOS_COMMIT = "04bc7ee1984d86fbb0bd782ccc69ce44c13ae4b9";

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `rc1` in `1.4.0-rc1`; empty for a release. */
  readonly prerelease: string;
}

const PATTERN = /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** A version such as `0.24.1` or `1.4.0-rc1`; undefined when the text is none. */
export function parseVersion(text: string): Version | undefined {
  const match = PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const [, major, minor = "0", patch = "0", prerelease = ""] = match;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), prerelease };
}

function comparePrerelease(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  const [left, right] = [a.split("."), b.split(".")];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [one, two] = [left[index], right[index]];
    if (one === two) continue;
    if (one === undefined || two === undefined) return one === undefined ? -1 : 1;
    const [oneNumber, twoNumber] = [/^\d+$/.test(one), /^\d+$/.test(two)];
    if (oneNumber && twoNumber) return Number(one) - Number(two);
    if (oneNumber !== twoNumber) return oneNumber ? -1 : 1;
    return one < two ? -1 : 1;
  }
  return 0;
}

/** Negative, zero or positive, as semantic versioning orders them. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || comparePrerelease(a.prerelease, b.prerelease);
}

/** Whether `text` is a version not below `minimum`; false for what is no version. */
export function atLeast(text: string | undefined, minimum: string): boolean {
  const [version, bound] = [parseVersion(text ?? ""), parseVersion(minimum)];
  return version !== undefined && bound !== undefined && compareVersions(version, bound) >= 0;
}
