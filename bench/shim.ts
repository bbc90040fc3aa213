/**
 * The mesos containerizer alone: how fast `sleep 1000` tasks start, what each costs beyond its own process, what they
 * cost while nothing happens, and how long a restarted agent takes to find them.
 *
 *   npm run bench shim [tasks, default 1000]
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerSpec } from "../test/support/container-spec.ts";
import { openContainerizer } from "../test/support/containerizer.ts";

/** Milliseconds over which the idle agent is watched. */
const IDLE = 11_000;
const count = Number(process.argv[2] ?? 1000);
const folder = mkdtempSync(join(tmpdir(), "bench-shim-"));
let containerizer = openContainerizer(folder);
const rollup = (pid: number, field: string): number => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
};
const specs = Array.from({ length: count }, () => containerSpec(folder, randomUUID(), { value: "exec sleep 1000" }));
const cpu = process.cpuUsage();
const begun = performance.now();
const started = await Promise.all(specs.map((spec) => containerizer.launch(spec, new AbortController().signal)));
const took = performance.now() - begun;
const used = process.cpuUsage(cpu);
console.log(`${count} tasks running after ${took.toFixed(0)} ms (${((count * 1000) / took).toFixed(0)}/s)`);
console.log(`agent's own CPU: ${((used.user + used.system) / 1000 / count).toFixed(3)} ms a task`);

const shims = started.map(({ pid }) =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]),
);
const [pss, tables] = [
  shims.reduce((sum, pid) => sum + rollup(pid, "Pss"), 0),
  shims.reduce((sum, pid) => sum + Number(/VmPTE:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]), 0),
];
console.log(
  `PSS beyond the task's process: ${(pss / count).toFixed(0)} KB a task, page tables ${(tables / count).toFixed(0)} KB`,
);

const idle = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, IDLE));
const idled = process.cpuUsage(idle);
console.log(`idle: ${((idled.user + idled.system) / 10 / IDLE).toFixed(2)} % of a core`);

await containerizer.close();
const restarted = performance.now();
containerizer = openContainerizer(folder);
const found = await containerizer.recover(specs.map((spec, index) => ({ ...spec, pid: started[index]?.pid })));
console.log(`${found.size} recovered after ${(performance.now() - restarted).toFixed(0)} ms`);

const killed = performance.now();
for (const { containerId } of specs) await containerizer.stop(containerId, 3000);
await Promise.all(specs.map(({ containerId }) => containerizer.wait(containerId)));
console.log(`all stopped after ${(performance.now() - killed).toFixed(0)} ms`);
await containerizer.close();
rmSync(folder, { recursive: true });
