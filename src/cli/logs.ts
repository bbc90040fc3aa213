import { sleep } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { AgentFiles } from "../client/files.ts";
import { LogReader } from "./log-reader.ts";
import type { Call } from "./parse.ts";
import { type Found, placeOf } from "./place.ts";
import { Reach } from "./reach.ts";
import { endingSignal, type Shell, say } from "./shell.ts";
import { rowsOfAgent } from "./task-rows.ts";

/** Milliseconds between looks, while there was something and when there was nothing for long. */
const SHORTEST = 100;
const LONGEST = 1000;
/** Milliseconds between questions whether the task has ended. */
const ASK_EVERY = 1000;

/** Whether the task has ended, as its agent has it now; one that is forgotten has. */
async function isOver({ agent, task }: Found): Promise<boolean> {
  const rows = rowsOfAgent(await agent.page("/state"));
  const now = rows.find(({ id, frameworkId }) => id === task.id && frameworkId === task.frameworkId);
  return now?.isOver ?? true;
}

/** Until the task has ended and all of it is written. */
async function follow(found: Found, reader: LogReader, shell: Shell, ending: AbortSignal): Promise<void> {
  const { clock } = shell;
  let wait = SHORTEST;
  let asked = clock.monotonic();
  let over = found.task.isOver;
  while (!ending.aborted) {
    // Asked before reading: what is read after the end is all there is.
    if (!over && clock.monotonic() - asked >= ASK_EVERY) {
      over = await isOver(found);
      asked = clock.monotonic();
    }
    const wasOver = over;
    let isMore = false;
    for await (const part of reader.look()) {
      await say(shell.output, part);
      isMore = true;
      if (ending.aborted) return;
    }
    if (isMore) {
      wait = SHORTEST;
      continue;
    }
    if (wasOver && !reader.isBehind) return;
    await sleep(clock, wait, ending).catch(() => undefined);
    wait = Math.min(wait * 2, LONGEST);
  }
}

/** `logs` */
export async function logs({ values, operands }: Call<"logs">, shell: Shell): Promise<number> {
  const reach = new Reach(values, shell);
  const ending = endingSignal(shell);
  const [wanted = "", stream = "stdout"] = operands;
  const found = await placeOf(reach, wanted, values.framework);
  const { agent, task } = found;
  if (task.folder === undefined) throw new UserError(`task '${task.id}' has no sandbox yet: it is ${task.state}`);
  const reader = new LogReader(new AgentFiles(agent, "slave(1)"), task.folder, stream);
  if (values.tail !== undefined) await reader.toTail(values.tail);
  if (values.follow) await follow(found, reader, shell, ending);
  else for await (const part of reader.look()) await say(shell.output, part);
  await reach.close();
  return ending.aborted ? 128 + Number(ending.reason) : 0;
}
