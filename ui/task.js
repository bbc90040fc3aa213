/** A task's page: what happened to it and when, what it uses, and what it consists of. */
import { askJson, pause, query, Refused, seen } from "./ask.js";
import { copy } from "./copying.js";
import { curve } from "./curves.js";
import { definitions } from "./definitions.js";
import { byId, element, keyed, setText } from "./dom.js";
import { bytes, duration, megabytes, moment, number } from "./format.js";
import { addressOf } from "./route.js";
import { tableOf } from "./table.js";
import { showState, toneOf } from "./tasks.js";

/** Milliseconds between looks. */
const INTERVAL = 5_000;

const list = (value) => (Array.isArray(value) ? value : []);
const pairs = (value) => Object.entries(value ?? {});

/** Numbers of ports in `[31000-31001]`; of a large range only the first. */
function portsIn(ranges) {
  const ports = [];
  for (const [, begin, end] of String(ranges ?? "").matchAll(/(\d+)-(\d+)/g))
    for (let port = Number(begin); port <= Number(end) && ports.length < 20; port++) ports.push({ port, name: "" });
  return ports;
}

/** Every port that leads to the task: those of its discovery have names and protocols. */
function portsOf(task) {
  const named = list(task.discovery?.ports?.ports).map(({ number: port, name = "", protocol = "" }) => ({
    port,
    name,
    protocol,
  }));
  const mapped = list(task.container?.port_mappings).map(({ host_port: port, container_port: inner }) => ({
    port,
    name: `to ${inner}`,
  }));
  const all = [...named, ...mapped, ...portsIn(task.resources?.ports)].filter(({ port }) => port > 0);
  return all.filter(({ port }, index) => all.findIndex((other) => other.port === port) === index);
}

function portLinks(task) {
  const place = element("span", { class: "links" });
  for (const { port, name, protocol } of portsOf(task)) {
    const scheme = /https|tls/i.test(`${protocol} ${name}`) || port === 443 ? "https" : "http";
    const href = `${scheme}://${location.hostname.includes(":") ? `[${location.hostname}]` : location.hostname}:${port}/`;
    place.append(
      element("a", { href, rel: "noreferrer", target: "_blank" }, name === "" ? String(port) : `${port} ${name}`),
    );
  }
  return place.childNodes.length === 0 ? undefined : place;
}

/** A text that may be long, with a button that copies it. */
function copied(text) {
  const button = element("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", () => void copy(text, button));
  return element("span", { class: "copied" }, element("code", {}, text), button);
}

const words = (object) =>
  pairs(object).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);

function checkText(check) {
  if (check === undefined) return undefined;
  const { type, http, tcp, command, delay_seconds: delay, interval_seconds: every, timeout_seconds: limit } = check;
  const what =
    (http && `${http.scheme ?? "http"} port ${http.port}${http.path ?? ""}`) ??
    (tcp && `TCP port ${tcp.port}`) ??
    command?.value ??
    command?.command?.value ??
    type ??
    "";
  const times = [
    every !== undefined && `every ${number(every)} s`,
    delay !== undefined && `first after ${number(delay)} s`,
    limit !== undefined && `within ${number(limit)} s`,
  ];
  return [what, ...times.filter(Boolean)].join(", ");
}

function resourcesText(resources, limits) {
  const shown = pairs(resources)
    .filter(([, value]) => value !== 0 && value !== "")
    .map(([name, value]) => `${name} ${name === "mem" || name === "disk" ? megabytes(value) : value}`);
  const most = pairs(limits).map(([name, value]) => {
    const isSize = typeof value === "number" && (name === "mem" || name === "disk");
    return `${name} at most ${isSize ? megabytes(value) : value}`;
  });
  return [...shown, ...most].join(", ");
}

function addressesOf(task) {
  return list(task.container_status?.network_infos)
    .flatMap(({ ip_addresses: all }) => list(all).map(({ ip_address: address }) => address))
    .filter(Boolean)
    .join(", ");
}

/** Of a task whose executor is another process than its own. */
function executorText({ executor_id: id, executor_name: name, executor_source: source, task_id: task }) {
  if (!id || id === task) return undefined;
  const parts = [id, name && name !== id && name, source && source !== id && `from ${source}`];
  return parts.filter(Boolean).join(" · ");
}

/** Names and values of everything that is known of a task, those left out that it does not have. */
function factsOf(task) {
  const { command, container } = task;
  const line =
    command?.shell === false ? [command.value, ...list(command.arguments)].filter(Boolean).join(" ") : command?.value;
  const facts = [
    ["Task id", copied(task.task_id)],
    ["Framework", `${task.framework_name} · ${task.framework_id}`],
    ["Role", task.role],
    ["Executor", executorText(task)],
    ["Container id", task.container_id && copied(task.container_id)],
    ["Command", line && copied(line)],
    ["Runs as", task.user],
    ["Fetches", list(command?.uris).join("\n")],
    ["Image", container?.image && copied(container.image)],
    ["Network", [container?.network?.toLowerCase(), addressesOf(task)].filter(Boolean).join(", ")],
    ["Ports", portLinks(task)],
    ["Resources", resourcesText(task.resources, task.limits)],
    ["Volumes", list(container?.volumes).map(volumeText).join("\n")],
    ["Docker options", list(container?.parameters).join(", ")],
    [
      "Labels",
      list(task.labels)
        .map(({ key, value }) => (value ? `${key}: ${value}` : key))
        .join("\n"),
    ],
    ["Environment", list(task.environment).join(", ")],
    ["Health check", checkText(task.health_check)],
    ["Check", checkText(task.check)],
    ["Last check", words(task.check_status).join(", ")],
    ["Time to stop", task.kill_grace !== undefined && `${number(task.kill_grace)} s`],
    ["May run for", task.max_completion_time > 0 && duration(task.max_completion_time)],
    [
      "Survives the agent",
      task.checkpoint ? "yes, its framework checkpoints" : "no, its framework does not checkpoint",
    ],
    ["Sandbox", task.directory && copied(task.directory)],
  ];
  return facts.filter(([, value]) => value !== undefined && value !== "" && value !== false);
}

const volumeText = ({ host_path: from, name, driver, container_path: to, mode }) =>
  `${from ?? name ?? "sandbox"}${driver ? ` (${driver})` : ""} at ${to}, ${mode === "RO" ? "read only" : "writable"}`;

function eventRow() {
  const cells = ["When", "State", "Why"].map((label) => element("td", { role: "cell", "data-label": label }));
  const node = element("tr", { role: "row" }, ...cells);
  const update = ({ event, first }) => {
    const since = event.timestamp - first;
    setText(cells[0], `${moment(event.timestamp)}${since >= 1 ? ` (+${duration(since)})` : ""}`);
    showState(cells[1], event.state, event.healthy);
    setText(cells[2], [event.message, event.reason, event.source].filter(Boolean).join(" · ") || "–");
  };
  return { node, update };
}

const events = tableOf(["When", "State", "Why"], "What happened", "events");
byId("task-events").append(events.table);

function showHistory(history) {
  const first = history[0]?.timestamp ?? 0;
  const rows = history.map((event, index) => ({ event, first, index }));
  keyed(events.body, rows, ({ event, index }) => `${index} ${event.timestamp}`, eventRow);
}

const plots = {
  cpus: curve("plot", "CPU in the last ten minutes", "cpus"),
  throttled: curve("plot", "Throttled by its CPU limit in the last ten minutes", "throttled"),
  memory: curve("plot", "Memory in the last ten minutes", "memory"),
};
byId("task-cpu").append(plots.cpus.svg);
byId("task-throttled").append(plots.throttled.svg);
byId("task-memory").append(plots.memory.svg);

/** Only of a container that has a limit, where the kernel counts what it costs. */
function showThrottling({ throttled, throttledSeconds, throttledCount }, samples) {
  byId("task-throttled").hidden = throttledSeconds === undefined;
  if (throttledSeconds === undefined) return;
  const now = throttled === undefined ? "–" : `${number(throttled, 0)} % of its periods`;
  const whole = throttledCount === 0 ? "never yet" : `${number(throttledSeconds, 1)} s, ${throttledCount} times in all`;
  setText(byId("task-throttled-now"), `${now}; ${whole}`);
  plots.throttled.update(samples, 100);
}

/** The curves and what they end with. `usage` is undefined for a task that does not run. */
export function showTaskUsage(usage, samples) {
  byId("task-usage").hidden = usage === undefined;
  if (usage === undefined) return;
  const { cpus, cpusLimit, memory, memoryLimit, disk } = usage;
  const cpuText = cpus === undefined ? "–" : number(cpus, 3);
  setText(byId("task-cpu-now"), `${cpuText}${cpusLimit > 0 ? ` of ${number(cpusLimit, 3)}` : ""}`);
  showThrottling(usage, samples);
  const memoryText = memory === undefined ? "–" : bytes(memory);
  const diskText = disk === undefined ? "" : `; ${bytes(disk)} on disk`;
  setText(byId("task-memory-now"), `${memoryText}${memoryLimit > 0 ? ` of ${bytes(memoryLimit)}` : ""}${diskText}`);
  plots.cpus.update(samples, cpusLimit);
  plots.memory.update(samples, memoryLimit);
}

function showLinks(task) {
  const place = byId("task-links");
  if (!task.directory) return place.replaceChildren();
  const file = (name) => element("a", { href: addressOf("file", { path: `${task.directory}/${name}` }) }, name);
  place.replaceChildren(
    file("stdout"),
    file("stderr"),
    element("a", { href: addressOf("files", { path: task.directory }) }, "files"),
  );
}

function showWhy(task) {
  const place = byId("task-why");
  const last = list(task.history).at(-1) ?? {};
  const parts = task.waiting
    ? [`${task.waiting}${task.waiting_since ? `, since ${moment(task.waiting_since)}` : ""}`]
    : [last.message, task.exit && !last.message?.includes(task.exit) ? task.exit : "", last.reason, last.source];
  const told = parts.filter(Boolean);
  const text = told.length === 1 && told[0] === last.source ? "" : told.join(" · ");
  place.hidden = text === "";
  place.classList.toggle("bad", toneOf(task.state, last.healthy) === "bad");
  setText(place, text);
}

/** When it began to run, and how long it ran. */
function timesOf({ running_since: began, state, history }) {
  if (began === undefined) return "";
  const last = list(history).at(-1)?.timestamp;
  const isOver = !/STAGING|STARTING|RUNNING|KILLING/.test(state);
  if (isOver && last !== undefined)
    return `ran for ${duration(last - began)}, from ${moment(began)} to ${moment(last)}`;
  return `runs since ${moment(began)}`;
}

function show(task, isNew) {
  setText(byId("heading-task"), task.name || task.task_id);
  showState(byId("task-state"), task.state, list(task.history).at(-1)?.healthy);
  setText(byId("task-times"), timesOf(task));
  showWhy(task);
  showHistory(list(task.history));
  // What a task consists of does not change: what somebody selects in it stays.
  if (isNew) {
    showLinks(task);
    byId("task-facts").replaceChildren();
  }
  definitions(byId("task-facts"), factsOf(task), isNew ? undefined : keepNodes);
}

/** Values that are nodes are only made once. */
const keepNodes = (value) => !(value instanceof Node);

/** Shows a task until `leave` is aborted. */
export async function showTask(parameters, leave) {
  const given = {
    framework_id: parameters.get("framework") ?? "",
    container_id: parameters.get("container") ?? "",
    task_id: parameters.get("id") ?? "",
  };
  setText(byId("heading-task"), given.task_id);
  const problem = byId("task-problem");
  const say = (text) => {
    problem.hidden = text === "";
    setText(problem, text);
    byId("task-body").hidden = text !== "";
  };
  byId("task-body").hidden = true;
  problem.hidden = true;
  let isNew = true;
  while (!leave.aborted) {
    try {
      const named = Object.entries(given).filter(([, value]) => value !== "");
      const task = (await askJson(query("tasks", named), leave)).tasks[0];
      if (leave.aborted) return;
      if (task === undefined)
        say("This task is not known here any more: an agent remembers the last few hundred that ended.");
      else {
        say("");
        show(task, isNew);
        isNew = false;
      }
    } catch (error) {
      if (leave.aborted) return;
      if (isNew)
        say(
          error instanceof Refused ? `The agent refuses: ${error.message}` : "The agent does not answer. Trying again.",
        );
    }
    await pause(INTERVAL, leave);
    await seen(leave);
  }
}
