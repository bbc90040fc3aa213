import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";

const TASKS = 20_000;

/** Bytes, in the heap and outside of it, for each of many sandboxes that wait for their removal, as agents name their folders. */
function bytesKept(): number {
  const url = (path: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)));
  const program = `
    import { randomUUID } from "node:crypto";
    const { Schedule } = await import(${url("schedule.ts")});
    const { ShownRuns } = await import(${url("../http/files/shown-runs.ts")});
    const { Paths } = await import(${url("../model/paths.ts")});
    const [schedule, runs, paths] = [new Schedule(), new ShownRuns(), new Paths("/var/lib/mesos")];
    const [agentId, frameworkId] = [randomUUID() + "-S0", randomUUID() + "-0000"];
    const held = () => {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = held();
    for (let index = 0; index < ${TASKS}; index++) {
      const key = { agentId, frameworkId, executorId: "task-" + index, containerId: randomUUID() };
      runs.attach(paths.sandbox(key), { kind: "sandbox", user: "nobody" }, { isLatest: true });
      schedule.set(paths.sandbox(key), index);
      schedule.set(paths.executor(agentId, frameworkId, key.executorId), index);
      schedule.set(paths.meta.run(key), index);
      schedule.set(paths.meta.executor(agentId, frameworkId, key.executorId), index);
    }
    console.log((held() - before) / ${TASKS}, schedule.size + [...runs.entries()].length);`;
  const words = ["--expose-gc", "--input-type=module", "-e", program];
  const [bytes, count] = execFileSync(process.execPath, words, { encoding: "utf8" }).split(" ").map(Number);
  expect(count).toBe(TASKS * 7);
  return bytes as number;
}

// With each path in full, under each of its names, it was 3,500: 100,000 short tasks in a week took 350 MB. As strings and maps, 700.
it("little is kept of a task whose sandbox waits for its removal", () => {
  expect(bytesKept()).toBeLessThan(400);
});
