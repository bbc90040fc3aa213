import { parseBytes } from "../../../base/bytes.ts";
import { UserError } from "../../../base/errors.ts";
import type { Setting } from "./settings.ts";

/** What io.max knows, and v1's file for each. */
const LIMITS = {
  rbps: "blkio.throttle.read_bps_device",
  wbps: "blkio.throttle.write_bps_device",
  riops: "blkio.throttle.read_iops_device",
  wiops: "blkio.throttle.write_iops_device",
} as const;
type LimitName = keyof typeof LIMITS;

/** What each container may do with one disk. Bytes or operations in a second; undefined: as much as it likes. */
export interface DeviceLimits {
  /** `major:minor` of a whole disk. */
  readonly device: string;
  readonly limits: ReadonlyMap<LimitName, number | undefined>;
}

const FLAG = "--cgroups_io_max";
const FIX = `write ${FLAG}='/dev/sda rbps=50MB wbps=50MB wiops=1000; 8:16 rbps=max'`;

function parseLimit(word: string): readonly [LimitName, number | undefined] {
  const [name = "", value = ""] = word.split("=");
  if (!Object.hasOwn(LIMITS, name))
    throw new UserError(`${FLAG}: '${word}' limits none of ${Object.keys(LIMITS).join(", ")}`, FIX);
  const limit = name as LimitName;
  if (value === "max") return [limit, undefined];
  const isBytes = limit.endsWith("bps") && /[bB]$/.test(value);
  const number = isBytes ? parseBytes(value) : Number(/^\d+$/.test(value) ? value : Number.NaN);
  if (!Number.isSafeInteger(number) || number === 0)
    throw new UserError(`${FLAG}: '${word}' has no number above 0, and not max`, FIX);
  return [limit, number];
}

/**
 * `--cgroups_io_max`: for each disk a path or `major:minor`, and its limits. `deviceOf`: the number of a block device's
 * disk, undefined when it is none. Throws a UserError.
 */
export function parseDeviceLimits(text: string, deviceOf: (path: string) => string | undefined): DeviceLimits[] {
  const parts = text.split(";").flatMap((part) => (part.trim() === "" ? [] : [part.trim().split(/\s+/)]));
  return parts.map(([name = "", ...words]) => {
    const device = /^\d+:\d+$/.test(name) ? name : deviceOf(name);
    if (device === undefined) throw new UserError(`${FLAG}: '${name}' is not a disk`, FIX);
    if (words.length === 0) throw new UserError(`${FLAG}: '${name}' has no limit`, FIX);
    return { device, limits: new Map(words.map(parseLimit)) };
  });
}

/**
 * The files that take a weight, the first that the kernel has counts, and how 1 to 10000 (100: as others) is written into
 * it; the conversions are systemd's.
 */
export const WEIGHTS: Readonly<Record<1 | 2, Readonly<Record<string, (weight: number) => number>>>> = {
  1: {
    "blkio.weight": (weight) => Math.min(Math.max(weight * 5, 10), 1000),
    "blkio.bfq.weight": bfqWeight,
  },
  2: { "io.weight": (weight) => weight, "io.bfq.weight": bfqWeight },
};

function bfqWeight(weight: number): number {
  return weight <= 100 ? weight : 100 + Math.floor(((weight - 100) * 900) / 9900);
}

/** A file that is there where limits can be set. */
export const limitFile = (version: 1 | 2): string => (version === 2 ? "io.max" : LIMITS.rbps);

export interface IoOptions {
  /** `--cgroups_io_weight` */
  readonly weight?: number;
  readonly limits: readonly DeviceLimits[];
}

/** `weightFile`: which of WEIGHTS the kernel has. */
export function ioSettings(
  { weight, limits }: IoOptions,
  version: 1 | 2,
  weightFile: string | undefined,
): readonly Setting[] {
  const write = WEIGHTS[version][weightFile ?? ""];
  const set = (file: string, value: string): Setting => ({ controller: "io", file, value });
  const weights =
    weight === undefined || write === undefined || weightFile === undefined
      ? []
      : [set(weightFile, `${write(weight)}`)];
  return [
    ...weights,
    ...limits.flatMap(({ device, limits: each }) =>
      version === 2
        ? [set("io.max", [device, ...[...each].map(([name, value]) => `${name}=${value ?? "max"}`)].join(" "))]
        : // v1's 0 lifts the limit.
          [...each].map(([name, value]) => set(LIMITS[name], `${device} ${value ?? 0}`)),
    ),
  ];
}
