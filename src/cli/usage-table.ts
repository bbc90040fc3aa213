import * as z from "zod";
import { columns, figure } from "./columns.ts";
import type { TaskRow } from "./task-rows.ts";

/** What an agent measured of its containers. */
export const containersPage = z.array(
  z.looseObject({
    container_id: z.string(),
    executor_id: z.string().default(""),
    framework_id: z.string().default(""),
    statistics: z
      .looseObject({
        timestamp: z.number().default(0),
        cpus_limit: z.number().default(0),
        cpus_user_time_secs: z.number().optional(),
        cpus_system_time_secs: z.number().optional(),
        mem_limit_bytes: z.number().default(0),
        mem_total_bytes: z.number().optional(),
        mem_rss_bytes: z.number().optional(),
      })
      .optional(),
  }),
);

export type Usage = z.infer<typeof containersPage>[number];

const cpuTime = ({ statistics }: Usage): number | undefined => {
  const { cpus_user_time_secs: user, cpus_system_time_secs: system } = statistics ?? {};
  return user === undefined && system === undefined ? undefined : (user ?? 0) + (system ?? 0);
};

/** Cores that a container used between two looks; undefined when it was not measured at both. */
export function coresUsed(before: Usage | undefined, now: Usage): number | undefined {
  const [earlier, later] = [before && cpuTime(before), cpuTime(now)];
  const seconds = (now.statistics?.timestamp ?? 0) - (before?.statistics?.timestamp ?? 0);
  if (earlier === undefined || later === undefined || seconds <= 0) return undefined;
  return Math.max(0, (later - earlier) / seconds);
}

const MEGABYTE = 1024 * 1024;
const megabytes = (bytes: number | undefined): string =>
  bytes === undefined ? "-" : String(Math.round(bytes / MEGABYTE));
const percent = (part: number | undefined, whole: number): string =>
  part === undefined || whole <= 0 ? "-" : `${((part / whole) * 100).toFixed(1)}%`;

/** The tasks whose container this is, else its executor. */
function labelOf({ container_id: id, executor_id: executor }: Usage, tasks: readonly TaskRow[]): string {
  const own = tasks.filter(({ container, isOver }) => !isOver && container?.at(-1) === id);
  if (own.length > 0) return own.map((task) => task.id).join(", ");
  return executor === "" ? `(container ${id})` : `(executor ${executor})`;
}

const HEADS = ["TASK", "CPU", "CPUS", "USED", "MEM MB", "USED", "CONTAINER"];

/** What each container uses, the busiest first. CPU in cores; its share is that of what it may use. */
export function usageTable(before: readonly Usage[], now: readonly Usage[], tasks: readonly TaskRow[]): string {
  const rows = now.map((usage) => {
    const earlier = before.find((one) => one.container_id === usage.container_id);
    const memory = usage.statistics?.mem_total_bytes ?? usage.statistics?.mem_rss_bytes;
    return { usage, memory, cores: coresUsed(earlier, usage), label: labelOf(usage, tasks) };
  });
  const sorted = rows.toSorted(
    (left, right) => (right.cores ?? 0) - (left.cores ?? 0) || (left.label < right.label ? -1 : 1),
  );
  const cells = sorted.map(({ usage: { container_id, statistics }, memory, cores, label }) => [
    label,
    cores === undefined ? "-" : cores.toFixed(2),
    figure(statistics?.cpus_limit ?? 0),
    percent(cores, statistics?.cpus_limit ?? 0),
    `${megabytes(memory)} / ${megabytes(statistics?.mem_limit_bytes)}`,
    percent(memory, statistics?.mem_limit_bytes ?? 0),
    container_id,
  ]);
  return columns(HEADS, cells, [1, 2, 3, 4, 5]);
}
