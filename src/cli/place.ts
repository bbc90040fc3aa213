import * as z from "zod";
import { UserError } from "../base/errors.ts";
import type { HttpPeer } from "../client/peer.ts";
import { parseUPID } from "../libprocess/upid.ts";
import type { Reach } from "./reach.ts";
import { findTask, rowsOfAgent, rowsOfMaster, type TaskRow } from "./task-rows.ts";

/** Tasks that are asked for at once, of a master which by itself gives 100. */
const ALL = 1_000_000;

const agentsPage = z.looseObject({
  slaves: z
    .array(
      z.looseObject({
        id: z.string(),
        hostname: z.string().default(""),
        pid: z.string().default(""),
        active: z.boolean().default(true),
        deactivated: z.boolean().default(false),
        drain_info: z.looseObject({ state: z.string().default("") }).optional(),
      }),
    )
    .default([]),
});

/** An agent as its master has it. */
export type KnownAgent = z.infer<typeof agentsPage>["slaves"][number];

/** The agents that a master knows; one of them by its id. */
export async function agentsOf(master: HttpPeer, id?: string): Promise<KnownAgent[]> {
  const query = id === undefined ? "" : `?slave_id=${encodeURIComponent(id)}`;
  return (await master.read(`/slaves${query}`, (page) => agentsPage.parse(page))).slaves;
}

/** The agent of this id, address or host name. Throws a UserError that names what there is. */
export async function findAgent(master: HttpPeer, wanted: string): Promise<KnownAgent> {
  const agents = await agentsOf(master);
  const found = agents.filter(
    ({ id, hostname, pid }) =>
      [id, hostname, pid, pid.slice(pid.indexOf("@") + 1)].includes(wanted) || parseUPID(pid)?.ip === wanted,
  );
  const [one, ...others] = found;
  if (one !== undefined && others.length === 0) return one;
  const shown = (one === undefined ? agents : found).map(({ id, hostname, pid }) => `${hostname} ${id} ${pid}`);
  const list = shown.length === 0 ? "none" : shown.slice(0, 5).join("; ");
  if (one !== undefined)
    throw new UserError(`several agents are '${wanted}' for the master at ${master.address}`, `give an id of: ${list}`);
  throw new UserError(`the master at ${master.address} has no agent '${wanted}'`, `it has: ${list}`);
}

/** `host:port` of an agent that a master knows. */
export function addressOfAgent({ id, pid }: Pick<KnownAgent, "id" | "pid">): string {
  const upid = parseUPID(pid);
  if (upid === undefined) throw new UserError(`the master does not say where agent ${id} is`, "give --agent=host:port");
  return `${upid.ip}:${upid.port}`;
}

const hereAt = (agent: HttpPeer): string => `the agent at ${agent.address}`;

export interface Found {
  readonly agent: HttpPeer;
  readonly task: TaskRow;
}

/** The tasks of a master. */
export async function tasksOfMaster(master: HttpPeer, taskId?: string): Promise<TaskRow[]> {
  const which = taskId === undefined ? "" : `&task_id=${encodeURIComponent(taskId)}`;
  return await master.read(`/tasks?limit=${ALL}${which}`, rowsOfMaster);
}

/** A task and the agent that has it, through the master where one is given. */
export async function placeOf(reach: Reach, wanted: string, frameworkId: string | undefined): Promise<Found> {
  if (!reach.hasMaster) {
    const agent = await reach.agent();
    return { agent, task: findTask(await agent.read("/state", rowsOfAgent), wanted, hereAt(agent), frameworkId) };
  }
  const master = await reach.master();
  const exact = await tasksOfMaster(master, wanted);
  const rows = exact.length > 0 ? exact : await tasksOfMaster(master);
  const known = findTask(rows, wanted, `the master at ${master.address}`, frameworkId);
  const [entry] = await agentsOf(master, known.agentId);
  if (entry === undefined)
    throw new UserError(
      `the agent of task '${known.id}' (${known.agentId}) is not registered with the master at ${master.address}`,
      "is it up? Ask it itself: --agent=host:port",
    );
  const agent = await reach.agentAt(addressOfAgent(entry));
  const task = findTask(await agent.read("/state", rowsOfAgent), known.id, hereAt(agent), known.frameworkId);
  return { agent, task };
}
