import { create } from "@bufbuild/protobuf";
import {
  type PressureStatistics,
  type PressureStatistics_Stall,
  PressureStatistics_StallSchema,
  PressureStatisticsSchema,
  type ResourceStatistics,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseKeyed, type ReadFile } from "./statistics.ts";

/** What may be short: the kernel's name of its file, and ours of the metric. */
const RESOURCES = { cpu: "cpu", mem: "memory", io: "io" } as const;

const MICROSECONDS = 1e6;

/** One line of a `*.pressure` file: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, the total in microseconds. */
function parseStall(line: string): PressureStatistics_Stall | undefined {
  const values = new Map(line.split(" ").map((word) => word.split("=") as [string, string | undefined]));
  const number = (name: string): number => Number(values.get(name) ?? Number.NaN);
  const [avg10, avg60, avg300, total] = [number("avg10"), number("avg60"), number("avg300"), number("total")];
  if ([avg10, avg60, avg300, total].some(Number.isNaN)) return undefined;
  return create(PressureStatistics_StallSchema, { avg10, avg60, avg300, totalSecs: total / MICROSECONDS });
}

/** Text of a `*.pressure` file; undefined where the kernel has none (built or booted without PSI). */
function parsePressure(text: string | undefined): PressureStatistics | undefined {
  const lines = new Map((text ?? "").split("\n").map((line) => [line.split(" ")[0], parseStall(line)] as const));
  const [some, full] = [lines.get("some"), lines.get("full")];
  if (some === undefined) return undefined;
  return create(PressureStatisticsSchema, { some, ...(full && { full }) });
}

/** The pressure on a container. */
export function pressureFigures(read: ReadFile): Partial<ResourceStatistics> {
  const of = (file: string): PressureStatistics | undefined => parsePressure(read(`${file}.pressure`));
  const [cpu, memory, io] = [of(RESOURCES.cpu), of(RESOURCES.mem), of(RESOURCES.io)];
  return {
    ...(cpu && { cpuPressure: cpu }),
    ...(memory && { memPressure: memory }),
    ...(io && { ioPressure: io }),
  };
}

const METRICS = "containerizer/mesos/cgroups";

/** Of the agent's own group, so of all its containers together: pressure and memory events, by the names of the metrics. */
export function* groupGauges(read: ReadFile): Generator<readonly [string, number]> {
  for (const [name, file] of Object.entries(RESOURCES)) {
    const pressure = parsePressure(read(`${file}.pressure`));
    for (const kind of ["some", "full"] as const) {
      const stall = pressure?.[kind];
      if (stall === undefined) continue;
      yield [`${METRICS}/${name}_pressure_${kind}_avg10`, stall.avg10];
      yield [`${METRICS}/${name}_pressure_${kind}_secs`, stall.totalSecs];
    }
  }
  const events = parseKeyed(read("memory.events"));
  for (const event of ["low", "high", "max", "oom", "oom_kill"]) {
    const count = events.get(event);
    if (count !== undefined) yield [`${METRICS}/mem_events_${event}`, count];
  }
}
