import { chainText } from "../mesos/container-chain.ts";
import { columns, figure, plain, timeText } from "./columns.ts";
import type { Call } from "./parse.ts";
import { tasksOfMaster } from "./place.ts";
import { Reach } from "./reach.ts";
import { type Shell, say } from "./shell.ts";
import { rowsOfAgent, type TaskRow } from "./task-rows.ts";

function jsonOf(row: TaskRow): object {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    framework_id: row.frameworkId,
    ...(row.frameworkName !== "" && { framework_name: row.frameworkName }),
    agent_id: row.agentId,
    cpus: row.cpus,
    mem: row.mem,
    started: row.started === undefined ? null : new Date(row.started * 1000).toISOString(),
    container_id: row.container === undefined ? null : chainText(row.container),
    sandbox: row.folder ?? null,
  };
}

const cellsOf = (row: TaskRow): string[] => [
  row.id,
  row.state,
  row.frameworkName || row.frameworkId,
  figure(row.cpus),
  figure(row.mem),
  timeText(row.started),
  row.container === undefined ? "-" : chainText(row.container),
];

const HEADS = ["TASK", "STATE", "FRAMEWORK", "CPUS", "MEM", "STARTED", "CONTAINER"];

/** `tasks` */
export async function listTasks({ values }: Call<"tasks">, shell: Shell): Promise<number> {
  const reach = new Reach(values, shell);
  const all = reach.hasMaster
    ? await tasksOfMaster(await reach.master())
    : await (await reach.agent()).read("/state", rowsOfAgent);
  const rows = all.filter(
    (row) => (values.all || !row.isOver) && (values.framework === undefined || row.frameworkId === values.framework),
  );
  const text = (): string => {
    if (values.json) return `${JSON.stringify(rows.map(jsonOf), null, 2)}\n`;
    if (values.quiet) return rows.map(({ id }) => `${plain(id)}\n`).join("");
    return columns(HEADS, rows.map(cellsOf), [3, 4]);
  };
  await say(shell.output, text());
  await reach.close();
  return 0;
}
