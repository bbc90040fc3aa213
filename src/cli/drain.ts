import { sleep } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { HttpPeer } from "../client/peer.ts";
import { plain } from "./columns.ts";
import { type Call, UsageError } from "./parse.ts";
import { Patience } from "./patience.ts";
import { agentsOf, findAgent, type KnownAgent, tasksOfMaster } from "./place.ts";
import { Reach } from "./reach.ts";
import { endingSignal, type Shell, say } from "./shell.ts";

/** Milliseconds between looks at how far it is. */
const LOOK_EVERY = 1000;
/** Tasks that a line of progress names. */
const MOST_NAMED = 5;

/** The master of this node's agent, as the agent's own variable has it. */
function masterOfNode({ environment }: Shell): string | undefined {
  const master = environment["MESOS_MASTER"];
  return master === "local" ? `127.0.0.1:${environment["MESOS_MASTER_PORT"] || 5050}` : master || undefined;
}

async function agentToDrain(reach: Reach, master: HttpPeer, wanted: string | undefined): Promise<KnownAgent> {
  if (wanted !== undefined) return await findAgent(master, wanted);
  const agent = await reach.agent();
  const { id } = (await agent.page("/state")) as { id?: string };
  if (!id) throw new UserError(`the agent at ${agent.address} is not registered`, "there is nothing to drain it from");
  return await findAgent(master, id);
}

interface Progress {
  readonly words: string;
  readonly isOver: boolean;
}

/** How far the master is. Of an agent that it does not know any more, all tasks are over. */
async function progressOf(master: HttpPeer, id: string): Promise<Progress> {
  const [[agent], tasks] = await Promise.all([agentsOf(master, id), tasksOfMaster(master)]);
  const left = tasks.filter((task) => task.agentId === id && !task.isOver).map((task) => plain(task.id));
  const names = left.slice(0, MOST_NAMED).join(", ") + (left.length > MOST_NAMED ? ", …" : "");
  if (agent === undefined) return { words: "the master has no such agent any more", isOver: true };
  const state = agent.drain_info?.state ?? "not draining";
  const count = left.length === 1 ? "1 task" : `${left.length || "no"} tasks`;
  const words = `${state}, ${count} left${left.length === 0 ? "" : `: ${names}`}`;
  return { words, isOver: state === "DRAINED" };
}

/** `drain` */
export async function drain({ values, operands }: Call<"drain">, shell: Shell): Promise<number> {
  const reach = new Reach(values, shell);
  const ending = endingSignal(shell);
  const otherwise = masterOfNode(shell);
  if (values.master === undefined && otherwise === undefined)
    throw new UsageError("it is the master that drains an agent, and none is given", "give --master=host:port");
  const master = await reach.master(otherwise);
  const agent = await agentToDrain(reach, master, operands[0]);
  const reply = await master.call({
    type: "DRAIN_AGENT",
    drain_agent: {
      agent_id: { value: agent.id },
      mark_gone: values.mark_gone,
      ...(values.max_grace_period !== undefined && {
        max_grace_period: {
          seconds: Math.floor(values.max_grace_period / 1000),
          nanos: (values.max_grace_period % 1000) * 1e6,
        },
      }),
    },
  });
  if (reply.status !== 200 && reply.status !== 202) throw master.refusal("DRAIN_AGENT", reply);
  await say(shell.output, `Draining ${agent.hostname} (${agent.id}) at the master ${master.address}\n`);
  const patience = new Patience(shell, master);
  let said = "";
  while (!ending.aborted) {
    const { words, isOver } = (await patience.with(() => progressOf(master, agent.id))) ?? {
      words: said,
      isOver: false,
    };
    if (words !== said) await say(shell.output, `${words}\n`);
    said = words;
    if (isOver) break;
    await sleep(shell.clock, LOOK_EVERY, ending).catch(() => undefined);
  }
  await reach.close();
  if (!ending.aborted) return 0;
  await say(
    shell.errors,
    `${agent.hostname} goes on draining. REACTIVATE_AGENT at the master takes it back when it is drained; mesos-slave drain looks again\n`,
  );
  return 128 + Number(ending.reason);
}
