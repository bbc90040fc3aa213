/** The node's page: asks the agent every five seconds, and shows what it says. */
import { askJson } from "./ask.js";
import { Curves, curve } from "./curves.js";
import { byId, definitions, element, keyed, setAttribute, setText } from "./dom.js";
import { showFolder } from "./folder.js";
import { megabytes, number, timeOfDay } from "./format.js";
import { isRecovering, showAway, showHeader, showNotices } from "./header.js";
import { readFrameworks, readReasons, readResources, readSandboxes, readUsage } from "./model.js";
import { showFacts, showFlags, showMachine } from "./node.js";
import { addressOf, route, setParameter } from "./route.js";
import { showTask, showTaskUsage } from "./task.js";
import { newLimit, showEnded, showTasks } from "./tasks.js";

/** Milliseconds between looks. */
const INTERVAL = 5_000;

/** What was seen last; kept while the agent is away. */
const seen = {
  state: undefined,
  health: undefined,
  usage: new Map(),
  reasons: new Map(),
  metrics: undefined,
  node: undefined,
  /** Milliseconds since the epoch. */
  at: undefined,
};
const curves = new Curves();

const limits = {
  tasks: newLimit(byId("tasks-more").firstElementChild, show),
  completed: newLimit(byId("completed-more").firstElementChild, show),
};

/** Which figure of the curves belongs to a resource. */
const CURVE_OF = { cpus: "cpus", mem: "memory" };

function resourceCard({ name }) {
  const value = element("p", { class: "value" });
  const bar = element("div", {
    class: "meter",
    role: "meter",
    "aria-valuemin": "0",
    "aria-label": `${name} allocated`,
  });
  const part = element("span", { class: "allocated" });
  const inner = element("span", { class: "in-use" });
  bar.append(part, inner);
  const using = element("p", { class: "quiet" });
  const drawn = curve("spark", `${name} in use in the last ten minutes`, CURVE_OF[name] ?? "");
  const node = element("li", { class: "card" }, element("h3", {}, name), value, bar, using, drawn.svg);
  const update = (resource) => {
    const format = name === "mem" || name === "disk" ? megabytes : (amount) => number(amount, 3);
    bar.hidden = resource.isSet;
    drawn.update(curves.of("node"), undefined);
    if (resource.isSet) {
      setText(value, resource.text);
      return;
    }
    const share = (amount) => `${Math.min(100, resource.total > 0 ? (100 * amount) / resource.total : 0)}%`;
    setText(value, `${format(resource.allocated)} of ${format(resource.total)}`);
    setAttribute(bar, "aria-valuemax", String(resource.total));
    setAttribute(bar, "aria-valuenow", String(resource.allocated));
    setAttribute(bar, "aria-valuetext", value.textContent);
    part.style.width = share(resource.allocated);
    inner.style.width = share(resource.inUse ?? 0);
    setText(using, resource.inUse === undefined ? "allocated" : `allocated, ${format(resource.inUse)} in use`);
  };
  return { node, update };
}

function showMetrics(filter) {
  if (seen.metrics === undefined) return;
  const rows = Object.entries(seen.metrics).filter(([name]) => name.toLowerCase().includes(filter));
  definitions(
    byId("metrics"),
    rows.map(([name, value]) => [name, number(value, 6)]),
  );
}

/** What the address narrows the view to. */
function wantedNow() {
  const { parameters } = route();
  const of = (name) => parameters.get(name) ?? "";
  return { filter: of("q").trim().toLowerCase(), state: of("state"), order: of("sort") };
}

const chooseState = (state) => {
  setParameter("state", state);
  show();
};

const placesOf = (name) => ({
  place: byId(name === "tasks" ? "frameworks" : name),
  more: byId(`${name}-more`),
  empty: byId(`${name}-empty`),
  counts: byId(`${name}-counts`),
  choose: chooseState,
});

function show() {
  showHeader(seen);
  const { state, usage, reasons } = seen;
  const { view, parameters } = route();
  const wanted = wantedNow();
  if (view === "metrics") showMetrics(wanted.filter);
  if (state === undefined) return showNotices(seen, undefined);
  const { running, ended } = readFrameworks(state, usage, reasons);
  const count = running.reduce(
    (sum, { executors }) => sum + executors.reduce((all, each) => all + each.tasks.length, 0),
    0,
  );
  showNotices(seen, count);
  if (view === "task") {
    const container = parameters.get("container") ?? "";
    const executor = running.flatMap(({ executors }) => executors).find((one) => one.container === container);
    showTaskUsage(executor?.usage, curves.of(container));
  }
  if (view === "node") {
    showFacts({ ...seen, tasks: count });
    showMachine(seen.node);
    showFlags(state, wanted.filter);
  }
  if (view === "completed") showEnded(placesOf("completed"), ended, wanted, limits.completed);
  if (view !== "tasks") return;
  keyed(byId("resources"), readResources(state, usage), ({ name }) => name, resourceCard);
  const frameworks = `${running.length} framework${running.length === 1 ? "" : "s"}`;
  const starved = ended.filter(({ task }) => /LIMITATION_MEMORY/.test(task?.why)).length;
  const outOfMemory = starved === 0 ? "" : ` · ${starved} ended out of memory`;
  setText(byId("summary"), `${count} task${count === 1 ? "" : "s"} of ${frameworks}${outOfMemory}`);
  showTasks(placesOf("tasks"), running, wanted, limits.tasks, curves);
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
    figures.set(container, { cpus: used.cpus, memory: used.memory });
    for (const name of ["cpus", "memory"]) if (used[name] !== undefined) node[name] = (node[name] ?? 0) + used[name];
  }
  figures.set("node", node);
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
  show();
}

let looking = Promise.resolve();
let timer;

/** Looks now, and then every five seconds while somebody can see it; never twice at once. */
function lookOn() {
  clearTimeout(timer);
  looking = looking.then(async () => {
    clearTimeout(timer);
    try {
      await look();
    } catch (error) {
      console.error(error);
      showAway(error, seen.at);
    }
    if (!document.hidden) timer = setTimeout(lookOn, INTERVAL);
  });
}

let leave = new AbortController();
const places = new Map();
let current;

/** What narrows a view is in the address: its fields show it. */
function showFields(view, parameters) {
  for (const [id, name] of [
    [`filter-${view}`, "q"],
    [`sort-${view}`, "sort"],
  ]) {
    const field = byId(id);
    if (field !== null && field !== document.activeElement) field.value = parameters.get(name) ?? "";
  }
}

/** The reader is fetched when somebody reads. */
async function readFile(path, sandboxes, signal) {
  const { showFile } = await import("./file.js");
  if (!signal.aborted) await showFile(path, sandboxes, signal, () => location.replace(addressOf("files", { path })));
}

/** Shows the view that the address names, where it was left. */
function enter(isFirst) {
  const { view, parameters } = route();
  const path = parameters.get("path") ?? "";
  if (current !== undefined) places.set(current, scrollY);
  leave.abort();
  leave = new AbortController();
  const section = view === "file" ? "files" : view;
  document.body.classList.toggle("reading", view === "file");
  for (const name of ["tasks", "completed", "task", "node", "metrics", "files"])
    byId(`view-${name}`).hidden = name !== section;
  for (const link of document.querySelectorAll("header nav a")) {
    const isHere = link.getAttribute("href") === addressOf(view);
    setAttribute(link, "aria-current", isHere ? "page" : undefined);
  }
  showFields(section, parameters);
  const sandboxes = readSandboxes(seen.state);
  if (view === "files") void showFolder(path, sandboxes, leave.signal);
  if (view === "file") void readFile(path, sandboxes, leave.signal);
  if (view === "task") void showTask(parameters, leave.signal);
  show();
  if ((view === "metrics" || view === "node") && !isFirst) lookOn();
  if (!isFirst) {
    byId(`heading-${section}`).focus({ preventScroll: true });
    scrollTo(0, places.get(location.hash) ?? 0);
  }
  current = location.hash;
}

for (const name of ["tasks", "completed", "node", "metrics"]) {
  byId(`filter-${name}`).addEventListener("input", ({ target }) => {
    setParameter("q", target.value.trim());
    current = location.hash;
    show();
  });
  byId(`sort-${name}`)?.addEventListener("change", ({ target }) => {
    setParameter("sort", target.value);
    current = location.hash;
    show();
  });
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) lookOn();
});
addEventListener("hashchange", () => enter(false));
// The address belongs to the views, so the browser's own jump would lose the one that is shown.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
history.scrollRestoration = "manual";

lookOn();
looking.then(() => enter(true));
