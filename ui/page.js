/** The node's page: asks the agent every five seconds, and shows what it says. */
import { byId, definitions, element, keyed, setAttribute, setText } from "./dom.js";
import { showFile, showFolder } from "./files.js";
import { duration, megabytes, moment, number, timeOfDay } from "./format.js";
import { readFrameworks, readResources, readSandboxes, readUsage } from "./model.js";
import { newLimit, showEnded, showTasks } from "./tasks.js";

/** Milliseconds between looks, and until one is given up. */
const INTERVAL = 5_000;
const DEADLINE = 10_000;

/** What was seen last; kept while the agent is away. */
const seen = {
  state: undefined,
  health: undefined,
  usage: new Map(),
  metrics: undefined,
  /** Milliseconds since the epoch. */
  at: undefined,
};

const filters = { tasks: "", completed: "", flags: "", metrics: "" };
const limits = {
  tasks: newLimit(byId("tasks-more").firstElementChild, show),
  completed: newLimit(byId("completed-more").firstElementChild, show),
};

class Refused extends Error {
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(DEADLINE), cache: "no-store" });
  if (!response.ok) throw new Refused(response.status);
  return await response.json();
}

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const view = ["completed", "node", "metrics", "files", "file"].includes(path) ? path : "tasks";
  return { view, path: new URLSearchParams(query).get("path") ?? "" };
}

const PHASES = {
  RUNNING: ["registered", "good"],
  RECOVERING: ["recovering", "plain"],
  DISCONNECTED: ["no master", "bad"],
  TERMINATING: ["leaving", "bad"],
};

function showHeader() {
  const { state, health } = seen;
  if (state !== undefined) {
    setText(byId("hostname"), state.hostname);
    const title = `${state.hostname} – Mesos agent`;
    if (document.title !== title) document.title = title;
  }
  if (state !== undefined) showAbout(state, health);
  if (health === undefined) return;
  const [word, tone] = byId("away").hidden ? (PHASES[health.phase] ?? [health.phase, "plain"]) : ["away", "bad"];
  const badge = byId("phase");
  badge.hidden = false;
  setText(badge, word);
  setAttribute(badge, "data-tone", tone);
}

const aboutMaster = element("a", { rel: "noreferrer" });
byId("about-master").append(aboutMaster);

/** The line below: version, master, id. */
function showAbout(state, health) {
  byId("about").hidden = false;
  setText(byId("about-version"), state.version);
  setText(byId("about-uptime"), duration(Date.now() / 1000 - state.start_time));
  setText(byId("about-id"), state.id || "without an id yet");
  showMaster(aboutMaster, health?.master);
}

/** A link to the master's page: it speaks TLS when its agents do. */
function showMaster(anchor, address) {
  setText(anchor, address ?? "none");
  const url = address === undefined ? undefined : URL.parse(`${location.protocol}//${address}/`)?.href;
  setAttribute(anchor, "href", url);
}

/** What an operator has to know first: troubles, a drain, no master. */
function showNotices() {
  const { state, health } = seen;
  const notices = Object.entries(health?.troubles ?? {}).map(([part, text]) => ({
    key: part,
    tone: "bad",
    text: `${part}: ${text}`,
  }));
  if (health?.phase === "RECOVERING")
    notices.push({ key: "recovering", tone: "plain", text: "The agent looks for the tasks of its last run." });
  if (health?.phase === "DISCONNECTED")
    notices.push({ key: "master", tone: "bad", text: "The agent is registered with no master. Its tasks run on." });
  if (state?.drain_config !== undefined) {
    const since = state.estimated_drain_start_time_seconds;
    notices.push({ key: "drain", tone: "plain", text: `The master drains this agent, since ${moment(since)}.` });
  }
  keyed(
    byId("notices"),
    notices,
    ({ key }) => key,
    () => {
      const node = element("p", { class: "notice" });
      const update = ({ tone, text }) => {
        node.classList.toggle("bad", tone === "bad");
        setText(node, text);
      };
      return { node, update };
    },
  );
}

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
  const node = element("li", { class: "card" }, element("h3", {}, name), value, bar, using);
  const update = (resource) => {
    const format = name === "mem" || name === "disk" ? megabytes : (amount) => number(amount, 2);
    bar.hidden = resource.isSet;
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

function showFacts() {
  const { state, health } = seen;
  showMaster(masterLink, health?.master);
  const facts = [
    ["Agent id", state.id || "none yet"],
    ["Address", state.pid],
    ["Version", `mesos-slave ${state.release}, built ${state.build_date}; speaks Mesos ${state.version}`],
    ["Running for", `${duration(Date.now() / 1000 - state.start_time)}, since ${moment(state.start_time)}`],
    ["Master", masterLink],
  ];
  for (const [name, value] of Object.entries(state.attributes ?? {})) facts.push([`Attribute ${name}`, value]);
  for (const [role, resources] of Object.entries(state.reserved_resources ?? {}))
    facts.push([
      `Reserved for ${role}`,
      Object.entries(resources)
        .map((pair) => pair.join(":"))
        .join("; "),
    ]);
  facts.push(["Capabilities", (state.capabilities ?? []).join(", ")]);
  if (state.log_dir !== undefined || state.external_log_file !== undefined) facts.push(["Log", logLink]);
  definitions(byId("facts"), facts);
  const flags = Object.entries(state.flags ?? {});
  const wanted = flags.filter((pair) => pair.some((text) => String(text).toLowerCase().includes(filters.flags)));
  definitions(byId("flags"), wanted);
}

const logLink = element("a", { href: "#/file?path=%2Fslave%2Flog" }, "the agent's log");
const masterLink = element("a", { rel: "noreferrer" });

function showMetrics() {
  if (seen.metrics === undefined) return;
  const rows = Object.entries(seen.metrics).filter(([name]) => name.toLowerCase().includes(filters.metrics));
  definitions(
    byId("metrics"),
    rows.map(([name, value]) => [name, number(value, 6)]),
  );
}

function show() {
  showHeader();
  showNotices();
  const { state, usage } = seen;
  const { view } = route();
  if (view === "metrics") showMetrics();
  if (state === undefined) return;
  if (view === "node") showFacts();
  if (view !== "tasks" && view !== "completed") return;
  const { running, ended } = readFrameworks(state, usage);
  if (view === "completed") {
    const places = { place: byId("completed"), more: byId("completed-more"), empty: byId("completed-empty") };
    showEnded(places, ended, filters.completed, limits.completed);
    return;
  }
  keyed(byId("resources"), readResources(state, usage), ({ name }) => name, resourceCard);
  const tasks = running.reduce(
    (sum, { executors }) => sum + executors.reduce((all, each) => all + each.tasks.length, 0),
    0,
  );
  setText(
    byId("summary"),
    `${tasks} task${tasks === 1 ? "" : "s"} of ${running.length} framework${running.length === 1 ? "" : "s"}`,
  );
  const places = { place: byId("frameworks"), more: byId("tasks-more"), empty: byId("tasks-empty") };
  showTasks(places, running, filters.tasks, limits.tasks);
}

/** Says that the agent is away, or what it refuses; takes it back when it answers. */
function showAway(error) {
  const place = byId("away");
  place.hidden = error === undefined;
  if (error === undefined) return;
  const old = seen.at === undefined ? "" : ` What you see is from ${timeOfDay(seen.at)}.`;
  if (error instanceof Refused && error.status === 401)
    setText(place, `The agent asks for a password: load this page anew and give it.${old}`);
  else if (error instanceof Refused && error.status === 403)
    setText(place, "The agent's firewall rules (--firewall_rules) do not let this page see it.");
  else if (error instanceof Refused) setText(place, `The agent refuses: ${error.message}.${old}`);
  else setText(place, `The agent does not answer.${old} Trying again every ${INTERVAL / 1000} s.`);
}

const isRecovering = (error) => error instanceof Refused && error.status === 503;

async function look() {
  const wantsMetrics = route().view === "metrics";
  const [health, state, usage, metrics] = await Promise.allSettled([
    ask("health/details"),
    ask("state"),
    ask("monitor/statistics"),
    wantsMetrics ? ask("metrics/snapshot?timeout=5secs") : undefined,
  ]);
  if (health.status === "fulfilled") seen.health = health.value;
  if (usage.status === "fulfilled") seen.usage = readUsage(usage.value, seen.usage);
  if (metrics.status === "fulfilled" && metrics.value !== undefined) seen.metrics = metrics.value;
  const problem = byId("metrics-problem");
  problem.hidden = metrics.status === "fulfilled";
  if (metrics.status === "rejected") setText(problem, "The metrics could not be had just now.");
  if (state.status === "fulfilled") {
    seen.state = state.value;
    seen.at = Date.now();
    setText(byId("updated"), `as of ${timeOfDay(seen.at)}`);
  }
  showAway(state.status === "fulfilled" || isRecovering(state.reason) ? undefined : state.reason);
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
      showAway(error);
    }
    if (!document.hidden) timer = setTimeout(lookOn, INTERVAL);
  });
}

let leave = new AbortController();
const places = new Map();
let current;

/** Shows the view that the address names, where it was left. */
function enter(isFirst) {
  const { view, path } = route();
  if (current !== undefined) places.set(current, scrollY);
  leave.abort();
  leave = new AbortController();
  const section = view === "file" ? "files" : view;
  for (const name of ["tasks", "completed", "node", "metrics", "files"]) byId(`view-${name}`).hidden = name !== section;
  for (const link of document.querySelectorAll("header nav a")) {
    const isHere = link.getAttribute("href") === `#/${view === "tasks" ? "" : view}`;
    setAttribute(link, "aria-current", isHere ? "page" : undefined);
  }
  const sandboxes = readSandboxes(seen.state);
  if (view === "files") void showFolder(path, sandboxes, leave.signal);
  if (view === "file") void showFile(path, sandboxes, leave.signal, () => location.replace(folderAddress(path)));
  show();
  if (view === "metrics" && !isFirst) lookOn();
  if (!isFirst) {
    byId(`heading-${section}`).focus({ preventScroll: true });
    scrollTo(0, places.get(location.hash) ?? 0);
  }
  current = location.hash;
}

const folderAddress = (path) => `#/files?path=${encodeURIComponent(path)}`;

for (const name of Object.keys(filters)) {
  byId(`filter-${name}`).addEventListener("input", ({ target }) => {
    filters[name] = target.value.trim().toLowerCase();
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
