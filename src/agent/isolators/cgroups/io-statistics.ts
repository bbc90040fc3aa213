import { create } from "@bufbuild/protobuf";
import {
  type CgroupInfo_Blkio_CFQ_Statistics,
  CgroupInfo_Blkio_CFQ_StatisticsSchema,
  CgroupInfo_Blkio_Operation,
  CgroupInfo_Blkio_StatisticsSchema,
  type CgroupInfo_Blkio_Throttling_Statistics,
  CgroupInfo_Blkio_Throttling_StatisticsSchema,
  type CgroupInfo_Blkio_Value,
  CgroupInfo_Blkio_ValueSchema,
  Device_NumberSchema,
  type ResourceStatistics,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ReadFile } from "./statistics.ts";

/** What the isolator cgroups/blkio reports (mesos-agent-behaviour §7.11): for each disk, and last for all of them. */
type Figures = Pick<ResourceStatistics, "blkioStatistics"> | Record<string, never>;

const OPERATIONS: ReadonlyMap<string, CgroupInfo_Blkio_Operation> = new Map([
  ["Total", CgroupInfo_Blkio_Operation.TOTAL],
  ["Read", CgroupInfo_Blkio_Operation.READ],
  ["Write", CgroupInfo_Blkio_Operation.WRITE],
  ["Sync", CgroupInfo_Blkio_Operation.SYNC],
  ["Async", CgroupInfo_Blkio_Operation.ASYNC],
  ["Discard", CgroupInfo_Blkio_Operation.DISCARD],
]);

/** The key of the sum over all disks. */
const ALL = "";

const value = (op: CgroupInfo_Blkio_Operation, count: number): CgroupInfo_Blkio_Value =>
  create(CgroupInfo_Blkio_ValueSchema, { op, value: BigInt(count) });

function numbered(device: string) {
  const [major = "0", minor = "0"] = device.split(":");
  return device === ALL
    ? {}
    : { device: create(Device_NumberSchema, { majorNumber: BigInt(major), minorNumber: BigInt(minor) }) };
}

type Values = ReadonlyMap<string, readonly CgroupInfo_Blkio_Value[]>;

/** A v1 file: `8:0 Read 4096`, `8:0 4096` or `Total 4096`. */
function parseValues(text: string | undefined): Values {
  const found = new Map<string, CgroupInfo_Blkio_Value[]>();
  for (const line of (text ?? "").split("\n")) {
    const words = line.split(" ");
    const count = words.pop() ?? "";
    const device = words[0]?.includes(":") ? words.shift() : undefined;
    if (!/^\d+$/.test(count) || (device === undefined && words.length === 0)) continue;
    const op = OPERATIONS.get(words[0] ?? "") ?? CgroupInfo_Blkio_Operation.UNKNOWN;
    found.set(device ?? ALL, [...(found.get(device ?? ALL) ?? []), value(op, Number(count))]);
  }
  return found;
}

/** The disks in the order in which they were met, and last the sum, there or not. */
const devicesOf = (...all: readonly Values[]): string[] => [
  ...new Set(all.flatMap((values) => [...values.keys()].filter((device) => device !== ALL))),
  ALL,
];

function throttlingOf(serviced: Values, bytes: Values): CgroupInfo_Blkio_Throttling_Statistics[] {
  return devicesOf(serviced, bytes).map((device) =>
    create(CgroupInfo_Blkio_Throttling_StatisticsSchema, {
      ...numbered(device),
      ioServiced: [...(serviced.get(device) ?? [])],
      ioServiceBytes: [...(bytes.get(device) ?? [])],
    }),
  );
}

const SCHEDULED = {
  ioServiced: "io_serviced",
  ioServiceBytes: "io_service_bytes",
  ioServiceTime: "io_service_time",
  ioWaitTime: "io_wait_time",
  ioMerged: "io_merged",
  ioQueued: "io_queued",
} as const;

/** What the disk's scheduler counts: CFQ's files, or since Linux 5.0 those of BFQ, which took its place. */
function scheduledOf(read: ReadFile, suffix: string): CgroupInfo_Blkio_CFQ_Statistics[] {
  const values = (name: string): Values =>
    parseValues(read(`blkio.${name}${suffix}`) ?? read(`blkio.bfq.${name}${suffix}`));
  const [time, sectors] = [values("time"), values("sectors")];
  const lists = Object.entries(SCHEDULED).map(([field, name]) => [field, values(name)] as const);
  return devicesOf(time, sectors, ...lists.map(([, list]) => list)).map((device) => {
    const [spent, moved] = [time, sectors].map((counted) => counted.get(device)?.[0]?.value);
    return create(CgroupInfo_Blkio_CFQ_StatisticsSchema, {
      ...numbered(device),
      ...(spent !== undefined && { time: spent }),
      ...(moved !== undefined && { sectors: moved }),
      ...Object.fromEntries(lists.map(([field, list]) => [field, [...(list.get(device) ?? [])]])),
    });
  });
}

export function ioFiguresV1(read: ReadFile): Figures {
  const serviced = read("blkio.throttle.io_serviced");
  if (serviced === undefined) return {};
  return {
    blkioStatistics: create(CgroupInfo_Blkio_StatisticsSchema, {
      cfq: scheduledOf(read, ""),
      cfqRecursive: scheduledOf(read, "_recursive"),
      throttling: throttlingOf(parseValues(serviced), parseValues(read("blkio.throttle.io_service_bytes"))),
    }),
  };
}

const V2 = {
  serviced: { rios: "Read", wios: "Write", dios: "Discard" },
  bytes: { rbytes: "Read", wbytes: "Write", dbytes: "Discard" },
} as const;

/** io.stat (`8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`) in v1's words: what reached the disks is `throttling`. */
export function ioFiguresV2(read: ReadFile): Figures {
  const text = read("io.stat");
  if (text === undefined) return {};
  const v1 = { serviced: [] as string[], bytes: [] as string[] };
  const sums = { serviced: 0, bytes: 0 };
  for (const line of text.split("\n")) {
    const [device = "", ...words] = line.split(" ");
    // A disk that was never used may be named without any figure.
    if (!/^\d+:\d+$/.test(device) || !words.some((word) => word.includes("="))) continue;
    const counts = new Map(words.map((word) => word.split("=") as [string, string]));
    for (const kind of ["serviced", "bytes"] as const) {
      let sum = 0;
      for (const [name, operation] of Object.entries(V2[kind])) {
        const count = Number(counts.get(name) ?? 0);
        v1[kind].push(`${device} ${operation} ${count}`);
        sum += count;
      }
      v1[kind].push(`${device} Total ${sum}`);
      sums[kind] += sum;
    }
  }
  const values = (kind: keyof typeof V2): Values => parseValues([...v1[kind], `Total ${sums[kind]}`].join("\n"));
  return {
    blkioStatistics: create(CgroupInfo_Blkio_StatisticsSchema, {
      throttling: throttlingOf(values("serviced"), values("bytes")),
    }),
  };
}
