/** Tables of tasks: those that run, by framework and executor, and those that have ended. */
import { element, keyed, setAttribute, setText } from "./dom.js";
import { bytes, duration, megabytes, moment, number, stateWord } from "./format.js";

/** Rows that a table shows before somebody asks for more: a browser lays out thousands only slowly. */
const FIRST_ROWS = 200;

const COLUMNS = ["Task", "State", "Started", "CPU", "Memory", "Output"];
const ENDED_COLUMNS = ["Task", "State", "Framework", "Started", "Ended", "Output"];

/** What colour a state has. */
function toneOf(state, healthy) {
  if (healthy === false || /FAILED|LOST|ERROR|GONE|DROPPED|UNREACHABLE/.test(state)) return "bad";
  if (/RUNNING|FINISHED/.test(state)) return "good";
  return "plain";
}

// Roles are said again: a table that CSS shows as cards on a narrow screen is no table to a screen reader otherwise.
function tableOf(columns, label) {
  const body = element("tbody", { role: "rowgroup" });
  const table = element(
    "table",
    { role: "table", "aria-label": label },
    element(
      "thead",
      { role: "rowgroup" },
      element(
        "tr",
        { role: "row" },
        ...columns.map((name) => element("th", { scope: "col", role: "columnheader" }, name)),
      ),
    ),
    body,
  );
  return { table, body };
}

function rowOf(columns, kind) {
  const [, ...others] = columns;
  const name = element("span", { class: "name" });
  const id = element("span", { class: "id" });
  const first = element("th", { scope: "row", role: "rowheader" }, name, id);
  const cells = others.map((label) => element("td", { role: "cell", "data-label": label }));
  return { node: element("tr", { role: "row", class: kind }, first, ...cells), name, id, cells };
}

function showName(row, name, id) {
  setText(row.name, name || id);
  setText(row.id, name === id || name === "" ? "" : id);
}

/** Links into a sandbox; made once, since a sandbox does not move. */
function linksInto(cell, directory, of) {
  if (directory === "") return;
  const link = (text, href) => element("a", { href, "aria-label": `${text} of ${of}` }, text);
  const file = (name) => `#/file?path=${encodeURIComponent(`${directory}/${name}`)}`;
  cell.classList.add("links");
  cell.append(link("stdout", file("stdout")), link("stderr", file("stderr")));
  cell.append(link("files", `#/files?path=${encodeURIComponent(directory)}`));
}

function showState(cell, state, healthy) {
  let badge = cell.firstChild;
  if (badge === null) {
    badge = element("span", { class: "badge" });
    cell.append(badge);
  }
  setAttribute(badge, "data-tone", toneOf(state, healthy));
  setText(badge, healthy === false ? `${stateWord(state)}, unhealthy` : stateWord(state));
}

function showTime(cell, seconds, how) {
  const has = typeof seconds === "number";
  setText(cell, has ? how : "–");
  setAttribute(cell, "title", has ? moment(seconds) : undefined);
}

const ago = (seconds) => `${duration(Date.now() / 1000 - seconds)} ago`;

/** What is used, of what may be used. */
function showUsage(row, usage, resources) {
  const cpus = usage?.cpusLimit ?? resources.cpus;
  const limit = usage?.memoryLimit ?? (resources.mem === undefined ? undefined : resources.mem * 1024 ** 2);
  const of = (used, all, format) => {
    if (all === undefined || all === 0) return used === undefined ? "–" : format(used);
    return used === undefined ? `of ${format(all)}` : `${format(used)} of ${format(all)}`;
  };
  setText(
    row.cells[2],
    of(usage?.cpus, cpus, (value) => number(value, 3)),
  );
  setText(row.cells[3], of(usage?.memory, limit, bytes));
  setAttribute(
    row.cells[3],
    "data-tone",
    usage?.memory !== undefined && limit > 0 && usage.memory > 0.9 * limit ? "bad" : undefined,
  );
}

function executorRow(executor) {
  const row = rowOf(COLUMNS, "executor");
  linksInto(row.cells[4], executor.directory, executor.name || executor.id);
  const update = (now) => {
    showName(row, now.name, now.id);
    setText(row.cells[0], "executor");
    showUsage(row, now.usage, now.resources);
  };
  return { node: row.node, update };
}

function taskRow({ executor, task }) {
  const row = rowOf(COLUMNS, executor.isCommand ? "task" : "task inner");
  if (executor.isCommand) linksInto(row.cells[4], executor.directory, task.name || task.id);
  const update = ({ executor: owner, task: now }) => {
    showName(row, now.name, now.id);
    showState(row.cells[0], now.state, now.healthy);
    showTime(row.cells[1], now.started, ago(now.started));
    if (owner.isCommand) showUsage(row, owner.usage, now.resources);
    else {
      setText(row.cells[2], now.resources.cpus === undefined ? "–" : `of ${number(now.resources.cpus, 3)}`);
      setText(row.cells[3], now.resources.mem === undefined ? "–" : `of ${megabytes(now.resources.mem)}`);
    }
  };
  return { node: row.node, update };
}

const hits = (filter, ...texts) => filter === "" || texts.some((text) => text.toLowerCase().includes(filter));

/** A framework's rows that the filter leaves: executors that are more than their task, and tasks. */
function rowsOf(framework, filter) {
  const all = hits(filter, framework.name, framework.id);
  const rows = [];
  for (const executor of framework.executors) {
    const isHit = all || hits(filter, executor.name, executor.id, executor.container);
    const tasks = executor.tasks.filter(({ name, id }) => isHit || hits(filter, name, id));
    if (!executor.isCommand && (isHit || tasks.length > 0)) rows.push({ executor });
    for (const task of tasks) rows.push({ executor, task });
  }
  return rows;
}

function frameworkCard(framework) {
  const name = element("span");
  const about = element("span", { class: "quiet" });
  const { table, body } = tableOf(COLUMNS, `Tasks of ${framework.name}`);
  const node = element("article", { class: "card framework" }, element("h3", {}, name), about, table);
  const update = ({ framework: now, rows }) => {
    setText(name, now.name || now.id);
    const roles = now.roles.length === 0 ? [] : [`role ${now.roles.join(", ")}`];
    setText(about, [`user ${now.user || "–"}`, ...roles, now.id].join(" · "));
    keyed(
      body,
      rows,
      ({ executor, task }) => `${executor.container}\t${task === undefined ? "" : task.id}`,
      (row) => (row.task === undefined ? executorOnly(row) : taskRow(row)),
    );
  };
  return { node, update };
}

function executorOnly(row) {
  const { node, update } = executorRow(row.executor);
  return { node, update: ({ executor }) => update(executor) };
}

/** Says how many rows are left out, as a button that shows them. */
function showMore(place, hidden) {
  place.hidden = hidden === 0;
  setText(place.firstElementChild, hidden === 0 ? "" : `Show ${hidden} more`);
}

/** `limit.rows` grows when the button is used. */
export function newLimit(button, again) {
  const limit = { rows: FIRST_ROWS };
  button.addEventListener("click", () => {
    limit.rows *= 10;
    again();
  });
  return limit;
}

export function showTasks({ place, more, empty }, frameworks, filter, limit) {
  let left = limit.rows;
  let hidden = 0;
  const cards = [];
  for (const framework of frameworks) {
    const rows = rowsOf(framework, filter);
    if (rows.length === 0) continue;
    const shown = rows.slice(0, left);
    left -= shown.length;
    hidden += rows.length - shown.length;
    if (shown.length > 0) cards.push({ framework, rows: shown });
  }
  keyed(place, cards, ({ framework }) => framework.id, frameworkOf);
  showMore(more, hidden);
  empty.hidden = cards.length > 0;
  setText(empty, filter === "" ? "No task runs here." : "Nothing that runs here has this in its name or id.");
}

const frameworkOf = ({ framework }) => frameworkCard(framework);

function endedRow({ executor, task }) {
  const row = rowOf(ENDED_COLUMNS, "task");
  linksInto(row.cells[4], executor.directory, task?.name || executor.name || executor.id);
  const update = ({ framework, executor: owner, task: now }) => {
    showName(row, now?.name ?? owner.name, now?.id ?? owner.id);
    if (now === undefined) setText(row.cells[0], "executor");
    else showState(row.cells[0], now.state, undefined);
    setText(row.cells[1], framework.name || framework.id);
    showTime(row.cells[2], now?.started, ago(now?.started));
    showTime(row.cells[3], now?.ended, ago(now?.ended));
  };
  return { node: row.node, update };
}

const tables = new WeakMap();

export function showEnded({ place, more, empty }, ended, filter, limit) {
  let body = tables.get(place);
  if (body === undefined) {
    const made = tableOf(ENDED_COLUMNS, "Completed tasks");
    place.append(element("article", { class: "card" }, made.table));
    body = made.body;
    tables.set(place, body);
  }
  const rows = ended.filter(({ framework, executor, task }) =>
    hits(filter, framework.name, framework.id, executor.id, executor.name, task?.name ?? "", task?.id ?? ""),
  );
  const shown = rows.slice(0, limit.rows);
  keyed(body, shown, ({ executor, task }) => `${executor.container}\t${task?.id}`, endedRow);
  showMore(more, rows.length - shown.length);
  place.hidden = rows.length === 0;
  empty.hidden = rows.length > 0;
  setText(empty, filter === "" ? "Nothing has ended here yet." : "Nothing that ended here has this in its name or id.");
}
