/** What the agent says, asked every few seconds while somebody can see the page; kept while the agent is away. */
import { askJson } from "./ask.js";
import { Curves } from "./curves.js";
import { byId, setText } from "./dom.js";
import { timeOfDay } from "./format.js";
import { isRecovering, showAway } from "./header.js";
import { readReasons, readUsage } from "./model.js";
import { route } from "./route.js";

/** Milliseconds between looks. */
const INTERVAL = 5_000;

/** What was seen last. */
export const seen = {
  state: undefined,
  health: undefined,
  usage: new Map(),
  reasons: new Map(),
  metrics: undefined,
  node: undefined,
  /** Milliseconds since the epoch. */
  at: undefined,
};
export const curves = new Curves();

/** Seconds that CPUs have worked, as of the last look at the machine. */
let before;

/** What the whole machine uses; undefined while nobody asks for it. */
function machineUse() {
  const { cpu_secs: spent, cpus, memory_total: whole, memory_free: free } = seen.node?.machine ?? {};
  const isNew = spent !== undefined && spent.total !== before?.total;
  const share = isNew && before ? (spent.busy - before.busy) / (spent.total - before.total) : undefined;
  if (!isNew) return { cpu: undefined, memory: undefined };
  before = spent;
  return { cpu: share === undefined ? undefined : share * cpus, memory: whole - free };
}

/** Remembers what is used now, of every container and of the node. */
function addCurves(state, usage) {
  const figures = new Map();
  const containers = (state?.frameworks ?? []).flatMap(({ id, executors = [] }) =>
    executors.map((executor) => [executor.container, usage.get(`${id}\n${executor.id}`)]),
  );
  const node = { cpus: undefined, memory: undefined };
  for (const [container, used] of containers) {
    if (used === undefined) continue;
    figures.set(container, { cpus: used.cpus, memory: used.memory, throttled: used.throttled });
    for (const name of ["cpus", "memory"]) if (used[name] !== undefined) node[name] = (node[name] ?? 0) + used[name];
  }
  figures.set("node", node);
  figures.set("machine", machineUse());
  curves.add(Date.now(), figures);
}

async function look() {
  const { view } = route();
  const [health, state, usage, reasons, metrics, node] = await Promise.allSettled([
    askJson("health/details"),
    askJson("state"),
    askJson("monitor/statistics"),
    askJson("tasks"),
    view === "metrics" ? askJson("metrics/snapshot?timeout=5secs") : undefined,
    view === "node" ? askJson("node") : undefined,
  ]);
  if (health.status === "fulfilled") seen.health = health.value;
  if (usage.status === "fulfilled") seen.usage = readUsage(usage.value, seen.usage);
  if (reasons.status === "fulfilled") seen.reasons = readReasons(reasons.value);
  if (metrics.status === "fulfilled" && metrics.value !== undefined) seen.metrics = metrics.value;
  if (node.status === "fulfilled" && node.value !== undefined) seen.node = node.value;
  const problem = byId("metrics-problem");
  problem.hidden = metrics.status === "fulfilled";
  if (metrics.status === "rejected") setText(problem, "The metrics could not be had just now.");
  if (state.status === "fulfilled") {
    seen.state = state.value;
    seen.at = Date.now();
    setText(byId("updated"), `as of ${timeOfDay(seen.at)}`);
  }
  if (usage.status === "fulfilled") addCurves(seen.state, seen.usage);
  showAway(state.status === "fulfilled" || isRecovering(state.reason) ? undefined : state.reason, seen.at);
}

let looking = Promise.resolve();
let timer;

/** Looks now, shows what it saw, and so every five seconds while somebody can see it; never twice at once. */
export function lookOn(show) {
  clearTimeout(timer);
  looking = looking.then(async () => {
    clearTimeout(timer);
    try {
      await look();
      show();
    } catch (error) {
      console.error(error);
      showAway(error, seen.at);
    }
    if (!document.hidden) timer = setTimeout(lookOn, INTERVAL, show);
  });
  return looking;
}
