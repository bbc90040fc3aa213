/**
 * How soon a restarted agent is back: it is killed while tasks run, started again, and timed until its recovery is over
 * and until its master has taken it back. Some tasks end meanwhile; their ends are timed too.
 *
 *   npm run bench recovery -- [--tasks 1000] [--rounds 3] [--program dist/mesos-slave.js]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { commandTask } from "../test/support/scheduler.ts";
import { startNode } from "./node.ts";
import { medianOf } from "./processes.ts";
import { rawRead } from "./raw-read.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000" },
    rounds: { type: "string", default: "3" },
    program: { type: "string" },
  },
});
const count = Number(values.tasks);
/** Of so many tasks one ends while the agent is away, in each round. */
const ENDING = 100;

const { agent, scheduler, close } = await startNode(values.program);

/** Milliseconds from `begin` until the agent's log has one more line with the text. */
async function logged(text: string, seen: number, begin: number): Promise<number> {
  while (agent.log.split(text).length - 1 <= seen) await pause(5);
  return performance.now() - begin;
}
const linesWith = (text: string): number => agent.log.split(text).length - 1;

try {
  const rounds = Number(values.rounds);
  const ids = Array.from({ length: count }, (_, index) => `task-${index}`);
  const endless = "exec sleep 100000";
  // A task of round r ends when its file appears.
  const ending = (round: number) => `until [ -e ${agent.folder}/end-${round} ]; do sleep 0.2; done; exit 7`;
  const commandOf = (index: number) => (index % ENDING < rounds ? ending(index % ENDING) : endless);
  await scheduler.launch(ids.map((id, index) => commandTask(id, commandOf(index))));
  const running = ({ state }: { state: TaskState }) => state === TaskState.TASK_RUNNING;
  await scheduler.until("all RUNNING", () => scheduler.updates.filter(running).length >= count, 300_000);
  await pause(1_000);
  const backs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [recovered, returned] = ["Finished recovery", "answered the re-registration"];
    const before = [linesWith(recovered), linesWith(returned)] as const;
    await agent.end("SIGKILL");
    writeFileSync(`${agent.folder}/end-${round}`, "");
    await pause(1_000);
    const begin = performance.now();
    agent.start();
    const recovery = await logged(recovered, before[0], begin);
    const back = await logged(returned, before[1], begin);
    backs.push(back / 1000);
    const expected = ids.filter((_id, index) => index % ENDING === round);
    await scheduler.until("the ends", () => expected.every((id) => scheduler.terminalOf(id) !== undefined), 60_000);
    const told = performance.now() - begin;
    console.log(
      `${count} tasks, restart ${round + 1}: recovered ${(recovery / 1000).toFixed(2)} s, re-registered ${(back / 1000).toFixed(2)} s, ` +
        `${expected.length} ends of meanwhile told ${(told / 1000).toFixed(2)} s after the start`,
    );
    const wrong = expected.filter((id) => scheduler.terminalOf(id)?.message !== "Command exited with status 7");
    if (wrong.length > 0) throw new Error(`wrong ends: ${wrong.join(", ")}`);
  }
  report([
    {
      ...{ id: `recovery-${count}`, what: `re-registered with ${count.toLocaleString("en")} tasks`, unit: "s" },
      value: medianOf(backs),
      floor: { what: "a read of its records", value: rawRead(join(agent.workDir, "meta")) },
      goal: { atMost: Math.max(0.8, (count * 4) / 5000) },
      bound: "the start of Node, then the records: a read, a parse and a check each",
    },
  ]);
} finally {
  await close();
}
