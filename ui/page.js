/** The node's page: which view is shown, and what it is narrowed to. */
import { byId, setAttribute, setText } from "./dom.js";
import { showHeader, showNotices } from "./header.js";
import { curves, lookOn, seen } from "./looks.js";
import { isStarved, readFrameworks, readSandboxes } from "./model.js";
import { showResources } from "./resources.js";
import { addressOf, route, setParameter } from "./route.js";
import { newLimit, showEnded, showTasks } from "./tasks.js";

const limits = {
  tasks: newLimit(byId("tasks-more").firstElementChild, show),
  completed: newLimit(byId("completed-more").firstElementChild, show),
};

/** Views that are fetched when somebody opens them: the first one is there sooner. */
const LATER = {
  task: () => import("./task.js"),
  node: () => import("./node.js"),
  metrics: () => import("./metrics.js"),
  files: () => import("./folder.js"),
  file: () => import("./file.js"),
};
/** Those that were fetched. */
const fetched = {};

/** Fetches a view's code; undefined when it is not to be had. */
async function fetchView(view) {
  try {
    fetched[view] = await LATER[view]();
    byId("unloaded").hidden = true;
    return fetched[view];
  } catch (error) {
    // An agent that was replaced has another page: what this one would fetch is gone.
    console.error(error);
    byId("unloaded").hidden = false;
    return undefined;
  }
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
  if (view === "metrics" && seen.metrics !== undefined) fetched.metrics?.showMetrics(seen.metrics, wanted.filter);
  if (state === undefined) return showNotices(seen, undefined);
  const { running, ended } = readFrameworks(state, usage, reasons);
  const executors = running.flatMap((framework) => framework.executors);
  const count = executors.reduce((sum, { tasks }) => sum + tasks.length, 0);
  showNotices(seen, count);
  if (view === "task") {
    const container = parameters.get("container") ?? "";
    const executor = executors.find((one) => one.container === container);
    fetched.task?.showTaskUsage(executor?.usage, curves.of(container));
  }
  if (view === "node") fetched.node?.showNode({ ...seen, tasks: count, ended }, curves.of("machine"), wanted.filter);
  if (view === "completed") showEnded(placesOf("completed"), ended, wanted, limits.completed);
  if (view !== "tasks") return;
  showResources(state, usage, curves);
  const frameworks = `${running.length} framework${running.length === 1 ? "" : "s"}`;
  const starved = ended.filter(isStarved).length;
  const outOfMemory = starved === 0 ? "" : ` · ${starved} ended out of memory`;
  setText(byId("summary"), `${count} task${count === 1 ? "" : "s"} of ${frameworks}${outOfMemory}`);
  showTasks(placesOf("tasks"), running, wanted, limits.tasks, curves);
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

/** Starts a view that is fetched; until `signal` is aborted it looks after itself. */
async function open(view, parameters, signal) {
  const code = await fetchView(view);
  if (code === undefined || signal.aborted) return;
  const path = parameters.get("path") ?? "";
  const sandboxes = readSandboxes(seen.state);
  if (view === "files") void code.showFolder(path, sandboxes, signal);
  if (view === "file")
    void code.showFile(path, sandboxes, signal, () => location.replace(addressOf("files", { path })));
  if (view === "task") void code.showTask(parameters, signal);
  show();
}

/** Shows the view that the address names, where it was left. */
function enter(isFirst) {
  const { view, parameters } = route();
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
  byId("loading").hidden = true;
  showFields(section, parameters);
  byId("unloaded").hidden = true;
  if (view in LATER) void open(view, parameters, leave.signal);
  show();
  if ((view === "metrics" || view === "node") && !isFirst) lookOn(show);
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
  if (!document.hidden) lookOn(show);
});
addEventListener("hashchange", () => enter(false));
// The address belongs to the views, so the browser's own jump would lose the one that is shown.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
history.scrollRestoration = "manual";

lookOn(show).then(() => enter(true));
