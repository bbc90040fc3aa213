/** Tables of tasks: those that run, by framework and executor, and those that have ended. */
import { curve } from "./curves.js";
import { element, keyed, setAttribute, setText } from "./dom.js";
import { bytes, duration, megabytes, moment, number, stateWord } from "./format.js";
import { countStates, ordered } from "./model.js";
import { addressOf } from "./route.js";
import { whenInSight } from "./sight.js";
import { tableOf } from "./table.js";

/** Rows that a table shows before somebody asks for more: a browser lays out thousands only slowly. */
const FIRST_ROWS = 200;

const COLUMNS = ["Task", "State", "Started", "CPU", "Memory", "Output"];
const ENDED_COLUMNS = ["Task", "State", "Framework", "Started", "Ended", "Output"];

/** What colour a state has. */
export function toneOf(state, healthy) {
  if (healthy === false || /FAILED|LOST|ERROR|GONE|DROPPED|UNREACHABLE/i.test(state)) return "bad";
  if (/RUNNING|FINISHED/i.test(state)) return "good";
  return "plain";
}

/** `address` leads to the task's page; undefined for an executor, which has none. */
function rowOf(columns, kind, address) {
  const [, ...others] = columns;
  const name = element(address === undefined ? "span" : "a", { class: "name", href: address });
  const id = element("span", { class: "id" });
  const why = element("span", { class: "why" });
  const first = element("th", { scope: "row", role: "rowheader" }, name, id, why);
  const cells = others.map((label) => element("td", { role: "cell", "data-label": label }));
  return { node: element("tr", { role: "row", class: kind }, first, ...cells), name, id, why, cells };
}

/** A row with `show`, which sets it: at once when it is new, then as long as it is in sight. */
function shownRow(node, show) {
  let latest;
  const showIfSeen = whenInSight(node, () => latest !== undefined && show(latest));
  const update = (item) => {
    const isNew = latest === undefined;
    latest = item;
    if (isNew) show(item);
    else showIfSeen();
  };
  return { node, update };
}

function showName(row, name, id) {
  // A name of blanks is none: nobody could click on it.
  const shown = name.trim() === "" ? id : name;
  setText(row.name, shown);
  setAttribute(row.name, "title", shown);
  setText(row.id, shown === id ? "" : id);
  setAttribute(row.id, "title", row.id.textContent || undefined);
}

function showWhy(row, text) {
  row.why.hidden = text === "";
  setText(row.why, text);
  setAttribute(row.why, "title", text || undefined);
}

const taskAddress = (framework, executor, task) =>
  addressOf("task", { framework: framework.id, container: executor.container, id: task.id });

/** Links into a sandbox; made once, since a sandbox does not move. */
function linksInto(cell, directory, of) {
  if (directory === "") return;
  const link = (text, href) => element("a", { href, "aria-label": `${text} of ${of}` }, text);
  const file = (name) => addressOf("file", { path: `${directory}/${name}` });
  cell.classList.add("links");
  cell.append(link("stdout", file("stdout")), link("stderr", file("stderr")));
  cell.append(link("files", addressOf("files", { path: directory })));
}

export function showState(cell, state, healthy) {
  let badge = cell.firstChild;
  if (badge === null) {
    badge = element("span", { class: "badge" });
    cell.append(badge);
  }
  setAttribute(badge, "data-tone", toneOf(state, healthy));
  const health = healthy === undefined ? "" : healthy ? ", healthy" : ", unhealthy";
  setText(badge, `${stateWord(state)}${health}`);
}

function showTime(cell, seconds, how) {
  const has = typeof seconds === "number";
  setText(cell, has ? how : "–");
  setAttribute(cell, "title", has ? moment(seconds) : undefined);
}

const ago = (seconds) => `${duration(Date.now() / 1000 - seconds)} ago`;

/** A cell with a figure and its curve. */
function figure(cell, label, name) {
  const words = element("span");
  const drawn = curve("spark", label, name);
  const throttled = element("span", { class: "throttled" });
  cell.classList.add("figure");
  cell.append(words, throttled, drawn.svg);
  return (text, samples, limit, held = "") => {
    setText(words, text);
    setText(throttled, held);
    drawn.update(samples, limit);
  };
}

/** What is used, of what may be used. */
function usageCells(row) {
  const cpu = figure(row.cells[2], "CPU in the last ten minutes", "cpus");
  const memory = figure(row.cells[3], "Memory in the last ten minutes", "memory");
  const of = (used, all, format) => {
    if (all === undefined || all === 0) return used === undefined ? "–" : format(used);
    return used === undefined ? `of ${format(all)}` : `${format(used)} of ${format(all)}`;
  };
  return (usage, resources, samples) => {
    const cpus = usage?.cpusLimit ?? resources.cpus;
    const limit = usage?.memoryLimit ?? (resources.mem === undefined ? undefined : resources.mem * 1024 ** 2);
    const held = usage?.throttled > 1 ? `throttled ${number(usage.throttled, 0)} %` : "";
    cpu(
      of(usage?.cpus, cpus, (value) => number(value, 3)),
      samples,
      cpus,
      held,
    );
    memory(of(usage?.memory, limit, bytes), samples, limit);
    const isFull = usage?.memory !== undefined && limit > 0 && usage.memory > 0.9 * limit;
    setAttribute(row.cells[3], "data-tone", isFull ? "bad" : undefined);
  };
}

function executorRow({ executor }) {
  const row = rowOf(COLUMNS, "executor");
  linksInto(row.cells[4], executor.directory, executor.name || executor.id);
  const showUsage = usageCells(row);
  return shownRow(row.node, ({ executor: now, samples }) => {
    showName(row, now.name, now.id);
    showWhy(row, "");
    setText(row.cells[0], "executor");
    showUsage(now.usage, now.resources, samples);
  });
}

function taskRow({ framework, executor, task }) {
  const address = taskAddress(framework, executor, task);
  const row = rowOf(COLUMNS, executor.isCommand ? "task" : "task inner", address);
  if (executor.isCommand) linksInto(row.cells[4], executor.directory, task.name || task.id);
  const showUsage = executor.isCommand ? usageCells(row) : undefined;
  return shownRow(row.node, ({ executor: owner, task: now, samples }) => {
    showName(row, now.name, now.id);
    showWhy(row, now.waiting || (now.healthy === false ? now.why : ""));
    showState(row.cells[0], now.state, now.healthy);
    showTime(row.cells[1], now.started, ago(now.started));
    if (showUsage !== undefined) showUsage(owner.usage, now.resources, samples);
    else {
      setText(row.cells[2], now.resources.cpus === undefined ? "–" : `of ${number(now.resources.cpus, 3)}`);
      setText(row.cells[3], now.resources.mem === undefined ? "–" : `of ${megabytes(now.resources.mem)}`);
    }
  });
}

const isIn = (wanted, task) => wanted === "" || (task !== undefined && stateWord(task.state) === wanted);
const hits = (filter, ...texts) => filter === "" || texts.some((text) => text.toLowerCase().includes(filter));

/** A framework's rows that the filter leaves: executors that are more than their task, and tasks. */
function rowsOf(framework, { filter, state }, curves) {
  const all = hits(filter, framework.name, framework.id);
  const rows = [];
  for (const executor of framework.executors) {
    const samples = curves.of(executor.container);
    const isHit = all || hits(filter, executor.name, executor.id, executor.container);
    const tasks = executor.tasks.filter((task) => (isHit || hits(filter, task.name, task.id)) && isIn(state, task));
    if (!executor.isCommand && ((isHit && state === "") || tasks.length > 0))
      rows.push({ framework, executor, samples });
    for (const task of tasks) rows.push({ framework, executor, task, samples });
  }
  return rows;
}

/** How many tasks a framework has here, and what of what they may use they use. */
function summaryOf({ executors }) {
  const sum = (of) => {
    const known = executors.map(of).filter((value) => typeof value === "number");
    return known.length === 0 ? undefined : known.reduce((all, value) => all + value, 0);
  };
  const part = (name, used, all, format) =>
    all === undefined ? [] : [`${name} ${used === undefined ? "" : `${format(used)} of `}${format(all)}`];
  const tasks = sum(({ tasks: own }) => own.length) ?? 0;
  const megabyte = 1024 ** 2;
  const memory = sum(({ resources }) => resources.mem);
  return [
    `${tasks} task${tasks === 1 ? "" : "s"}`,
    ...part(
      "CPU",
      sum(({ usage }) => usage?.cpus),
      sum(({ resources }) => resources.cpus),
      (value) => number(value, 2),
    ),
    ...part(
      "memory",
      sum(({ usage }) => usage?.memory),
      memory && memory * megabyte,
      bytes,
    ),
  ];
}

function frameworkCard({ framework }) {
  const name = element("span", { class: "clamped" });
  const about = element("span", { class: "quiet" });
  const { table, body } = tableOf(COLUMNS, `Tasks of ${framework.name || framework.id}`, "tasks");
  const node = element("article", { class: "card framework" }, element("h3", {}, name), about, table);
  const update = ({ framework: now, rows }) => {
    setText(name, now.name || now.id);
    setAttribute(name, "title", now.name || now.id);
    const roles = now.roles.length === 0 ? [] : [`role ${now.roles.join(", ")}`];
    setText(about, [...summaryOf(now), `user ${now.user || "–"}`, ...roles, now.id].join(" · "));
    keyed(
      body,
      rows,
      ({ executor, task }) => `${executor.container}\t${task === undefined ? "" : task.id}`,
      (row) => (row.task === undefined ? executorRow(row) : taskRow(row)),
    );
  };
  return { node, update };
}

/** Says how many rows are left out, as a button that shows them. */
function showMore(place, hidden) {
  place.hidden = hidden === 0;
  setText(place.firstElementChild, hidden === 0 ? "" : `Show ${hidden} more`);
}

/** `limit.rows` grows when the button is used: a part in each picture, so that the browser goes on answering. */
export function newLimit(button, again) {
  const limit = { rows: FIRST_ROWS };
  const growTo = (most) => {
    limit.rows += FIRST_ROWS;
    again();
    if (limit.rows < most && button.textContent !== "") requestAnimationFrame(() => growTo(most));
  };
  button.addEventListener("click", () => growTo(limit.rows * 10));
  return limit;
}

/** How many tasks there are in each state; each a button that shows only those, or all again. */
function showCounts(place, tasks, chosen, choose) {
  const counts = countStates(tasks).map(([name, count]) => [name.replaceAll("_", " "), count]);
  if (chosen !== "" && !counts.some(([name]) => name === chosen)) counts.push([chosen, 0]);
  keyed(
    place,
    counts,
    ([name]) => name,
    ([name]) => {
      const node = element("button", {
        type: "button",
        class: "badge",
        "data-tone": toneOf(name.replaceAll(" ", "_")),
      });
      node.addEventListener("click", () => choose(node.getAttribute("aria-pressed") === "true" ? "" : name));
      const update = ([, count]) => {
        setText(node, `${count} ${name}`);
        setAttribute(node, "aria-pressed", String(name === chosenNow.get(place)));
      };
      return { node, update };
    },
  );
}

/** What each row of counts is narrowed to; its buttons outlive one look. */
const chosenNow = new WeakMap();

function countsOf(place, tasks, state, choose) {
  chosenNow.set(place, state);
  showCounts(place, tasks, state, choose);
}

export function showTasks({ place, more, empty, counts, choose }, frameworks, wanted, limit, curves) {
  countsOf(
    counts,
    frameworks.flatMap(({ executors }) => executors.flatMap(({ tasks }) => tasks)),
    wanted.state,
    choose,
  );
  let left = limit.rows;
  let hidden = 0;
  const cards = [];
  for (const framework of frameworks) {
    const rows = ordered(rowsOf(framework, wanted, curves), wanted.order);
    if (rows.length === 0) continue;
    const shown = rows.slice(0, left);
    left -= shown.length;
    hidden += rows.length - shown.length;
    if (shown.length > 0) cards.push({ framework, rows: shown });
  }
  keyed(place, cards, ({ framework }) => framework.id, frameworkCard);
  showMore(more, hidden);
  empty.hidden = cards.length > 0;
  const isAll = wanted.filter === "" && wanted.state === "";
  setText(empty, isAll ? "No task runs here." : "Nothing that runs here has this in its name or id.");
}

function endedRow({ framework, executor, task }) {
  const row = rowOf(ENDED_COLUMNS, "task", task === undefined ? undefined : taskAddress(framework, executor, task));
  linksInto(row.cells[4], executor.directory, task?.name || executor.name || executor.id);
  const owner = element("span", { class: "clamped" });
  row.cells[1].append(owner);
  return shownRow(row.node, ({ framework: now, executor: runner, task: ended }) => {
    showName(row, ended?.name ?? runner.name, ended?.id ?? runner.id);
    showWhy(row, ended?.why ?? "");
    if (ended === undefined) setText(row.cells[0], "executor");
    else showState(row.cells[0], ended.state, undefined);
    setText(owner, now.name || now.id);
    setAttribute(row.cells[1], "title", now.name || now.id);
    showTime(row.cells[2], ended?.started, ago(ended?.started));
    showTime(row.cells[3], ended?.ended, ago(ended?.ended));
  });
}

const tables = new WeakMap();

export function showEnded({ place, more, empty, counts, choose }, ended, wanted, limit) {
  let body = tables.get(place);
  if (body === undefined) {
    const made = tableOf(ENDED_COLUMNS, "Completed tasks", "tasks");
    place.append(element("article", { class: "card" }, made.table));
    body = made.body;
    tables.set(place, body);
  }
  countsOf(
    counts,
    ended.flatMap(({ task }) => task ?? []),
    wanted.state,
    choose,
  );
  const { filter, state } = wanted;
  const rows = ended.filter(
    ({ framework, executor, task }) =>
      isIn(state, task) &&
      hits(
        filter,
        framework.name,
        framework.id,
        executor.id,
        executor.name,
        task?.name ?? "",
        task?.id ?? "",
        task?.why ?? "",
      ),
  );
  const shown = ordered(rows, wanted.order).slice(0, limit.rows);
  keyed(body, shown, ({ executor, task }) => `${executor.container}\t${task?.id}`, endedRow);
  showMore(more, rows.length - shown.length);
  place.hidden = rows.length === 0;
  empty.hidden = rows.length > 0;
  const isAll = filter === "" && state === "";
  setText(empty, isAll ? "Nothing has ended here yet." : "Nothing that ended here has this in its name or id.");
}
