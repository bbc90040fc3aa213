import { sleep } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { AgentFiles } from "../client/files.ts";
import { LogReader } from "./log-reader.ts";
import type { Call } from "./parse.ts";
import { Patience } from "./patience.ts";
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
  const rows = await agent.read("/state", rowsOfAgent);
  const now = rows.find(({ id, frameworkId }) => id === task.id && frameworkId === task.frameworkId);
  return now?.isOver ?? true;
}

/** Follows one task's log. */
class Following {
  readonly #found: Found;
  readonly #reader: LogReader;
  readonly #shell: Shell;
  readonly #ending: AbortSignal;
  readonly #patience: Patience;
  #isOver: boolean;
  #asked: number;

  constructor(found: Found, reader: LogReader, shell: Shell, ending: AbortSignal) {
    [this.#found, this.#reader, this.#shell, this.#ending] = [found, reader, shell, ending];
    this.#isOver = found.task.isOver;
    this.#asked = shell.clock.monotonic();
    this.#patience = new Patience(shell, found.agent);
  }

  /** Until the task has ended and all of it is written. */
  async run(): Promise<void> {
    const { clock } = this.#shell;
    let wait = SHORTEST;
    while (!this.#ending.aborted) {
      const step = await this.#patience.with(() => this.#step());
      if (step === "over") return;
      if (step === "more") {
        wait = SHORTEST;
        continue;
      }
      await sleep(clock, wait, this.#ending).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST);
    }
  }

  async #step(): Promise<"more" | "nothing" | "over"> {
    const { clock, output } = this.#shell;
    // Asked before reading: what is read after the end is all there is.
    if (!this.#isOver && clock.monotonic() - this.#asked >= ASK_EVERY) {
      this.#isOver = await isOver(this.#found);
      this.#asked = clock.monotonic();
    }
    const wasOver = this.#isOver;
    let isMore = false;
    for await (const part of this.#reader.look()) {
      await say(output, part);
      isMore = true;
      if (this.#ending.aborted) break;
    }
    if (isMore) return "more";
    return wasOver && !this.#reader.isBehind ? "over" : "nothing";
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
  if (values.follow) await new Following(found, reader, shell, ending).run();
  else for await (const part of reader.look()) await say(shell.output, part);
  await reach.close();
  return ending.aborted ? 128 + Number(ending.reason) : 0;
}
