/**
 * What the page shows, made from /state, /health/details and /monitor/statistics. Pure: no document, no requests. Nothing
 * that comes from the agent is trusted to have the right shape; names come from whoever wrote the task.
 */
import { portCount } from "./format.js";

const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) => (typeof value === "object" && value !== null ? value : {});
const text = (value) => (value === undefined || value === null ? "" : String(value));
const amount = (value) => (typeof value === "number" && Number.isFinite(value) ? value : 0);

const usageKey = (frameworkId, executorId) => `${text(frameworkId)}\n${text(executorId)}`;

/**
 * What every container uses now, by framework and executor. CPU is known from the second look on: `before` is the result of
 * the first one.
 */
export function readUsage(entries, before = new Map()) {
  const usage = new Map();
  for (const entry of list(entries)) {
    const figures = object(entry?.statistics);
    const key = usageKey(entry?.framework_id, entry?.executor_id);
    const at = amount(figures.timestamp);
    const cpuSeconds = amount(figures.cpus_user_time_secs) + amount(figures.cpus_system_time_secs);
    const previous = before.get(key);
    const elapsed = previous === undefined ? 0 : at - previous.at;
    const spent = previous === undefined ? 0 : cpuSeconds - previous.cpuSeconds;
    // A smaller counter belongs to a container that was started since.
    const cpus = elapsed > 0 && spent >= 0 ? spent / elapsed : elapsed === 0 ? previous?.cpus : undefined;
    usage.set(key, {
      at,
      cpuSeconds,
      cpus,
      cpusLimit: figures.cpus_limit,
      // Of a hundred periods of the scheduler, how many it was held back in since the look before.
      throttled: shareOf(figures.cpus_nr_throttled, figures.cpus_nr_periods, previous),
      throttledSeconds: figures.cpus_throttled_time_secs,
      throttledCount: amount(figures.cpus_nr_throttled),
      periods: amount(figures.cpus_nr_periods),
      memory: figures.mem_rss_bytes,
      memoryLimit: figures.mem_limit_bytes,
      disk: figures.disk_used_bytes,
    });
  }
  return usage;
}

function shareOf(throttled, periods, previous) {
  if (typeof throttled !== "number" || previous === undefined) return undefined;
  const during = amount(periods) - previous.periods;
  return during > 0 ? (100 * (throttled - previous.throttledCount)) / during : undefined;
}

/** Why tasks are in their state, by framework, container and task: what /tasks says. */
export function readReasons(answer) {
  const reasons = new Map();
  for (const one of list(answer?.tasks)) {
    reasons.set(reasonKey(one?.framework_id, one?.container_id, one?.task_id), {
      message: text(one?.message),
      reason: text(one?.reason),
      source: text(one?.source),
      exit: text(one?.exit),
      waiting: text(one?.waiting),
      waitingSince: one?.waiting_since,
      runningSince: one?.running_since,
    });
  }
  return reasons;
}

const reasonKey = (frameworkId, containerId, taskId) => `${text(frameworkId)}\n${text(containerId)}\n${text(taskId)}`;

/** Why, in one line: its message, and what of reason, source and exit the message does not say. */
export function whyOf({ message, exit, reason, source }) {
  const words = [message, message.includes(exit) ? "" : exit, reason].filter((word) => word !== "");
  // Who said nothing has no place here.
  return words.length === 0 ? "" : [...words, source].filter((word) => word !== "").join(" · ");
}

const NOTHING_KNOWN = { message: "", reason: "", source: "", exit: "", waiting: "" };

function readTask(task, isQueued, known) {
  const statuses = list(task?.statuses);
  const last = object(statuses.at(-1));
  const running = statuses.find((status) => status?.state === "TASK_RUNNING");
  const told = known(task?.id) ?? NOTHING_KNOWN;
  return {
    id: text(task?.id),
    name: text(task?.name),
    state: isQueued ? "queued" : text(task?.state),
    healthy: typeof last.healthy === "boolean" ? last.healthy : undefined,
    // Of each state Mesos keeps the newest status: that of RUNNING is the last health check's.
    started: told.runningSince ?? object(running ?? statuses[0]).timestamp,
    waiting: told.waiting,
    why: whyOf(told),
    ended: last.timestamp,
    resources: object(task?.resources),
  };
}

function readExecutor(executor, frameworkId, { usage, reasons }) {
  const id = text(executor?.id);
  const known = (taskId) => reasons.get(reasonKey(frameworkId, executor?.container, taskId));
  const tasks = list(executor?.tasks).map((task) => readTask(task, false, known));
  const queued = list(executor?.queued_tasks).map((task) => readTask(task, true, known));
  const completed = list(executor?.completed_tasks).map((task) => readTask(task, false, known));
  const all = [...queued, ...tasks, ...completed];
  return {
    id,
    name: text(executor?.name),
    container: text(executor?.container),
    directory: text(executor?.directory),
    resources: object(executor?.resources),
    /** Nothing but its one task: the agent runs it itself. */
    isCommand: all.length === 1 && all[0].id === id,
    usage: usage.get(usageKey(frameworkId, id)),
    tasks: [...queued, ...tasks],
    completed,
  };
}

function readFramework(framework, { usage, reasons }) {
  const id = text(framework?.id);
  const roles = Array.isArray(framework?.roles) ? framework.roles : [framework?.role];
  return {
    id,
    name: text(framework?.name),
    user: text(framework?.user),
    roles: roles.map(text).filter((role) => role !== "" && role !== "*"),
    executors: list(framework?.executors).map((executor) => readExecutor(executor, id, { usage, reasons })),
    completedExecutors: list(framework?.completed_executors).map((executor) =>
      readExecutor(executor, id, { usage: new Map(), reasons }),
    ),
  };
}

/** Running frameworks, each with its executors; what has ended, newest first. */
export function readFrameworks(state, usage, reasons = new Map()) {
  const running = list(state?.frameworks).map((framework) => readFramework(framework, { usage, reasons }));
  const gone = list(state?.completed_frameworks).map((framework) =>
    readFramework(framework, { usage: new Map(), reasons }),
  );
  const ended = [];
  for (const framework of [...running, ...gone]) {
    for (const executor of [...framework.executors, ...framework.completedExecutors]) {
      for (const task of executor.completed) ended.push({ framework, executor, task });
      if (executor.completed.length === 0 && framework.completedExecutors.includes(executor))
        ended.push({ framework, executor, task: undefined });
    }
  }
  ended.sort((left, right) => amount(right.task?.ended) - amount(left.task?.ended));
  return { running: running.filter(({ executors }) => executors.length > 0), ended };
}

/** Whether something ended for want of memory. */
export const isStarved = ({ task }) => /LIMITATION_MEMORY/.test(task?.why);

/** Allocated, in use and total of each resource. Scalars are numbers; ports are counted. */
export function readResources(state, usage) {
  const total = object(state?.resources);
  const parts = [
    object(state?.unreserved_resources_allocated),
    ...Object.values(object(state?.reserved_resources_allocated)).map(object),
  ];
  const count = (name, value) => (name === "ports" || typeof value === "string" ? portCount(value) : amount(value));
  const all = [...usage.values()];
  const sum = (name) => {
    const measured = all.filter((one) => typeof one[name] === "number");
    return measured.length === 0 ? undefined : measured.reduce((whole, one) => whole + one[name], 0);
  };
  const inMegabytes = (bytes) => (bytes === undefined ? undefined : bytes / 1024 ** 2);
  const used = { cpus: sum("cpus"), mem: inMegabytes(sum("memory")), disk: inMegabytes(sum("disk")) };
  return Object.keys(total)
    .map((name) => ({
      name,
      isSet: typeof total[name] === "string" && portCount(total[name]) === 0,
      text: text(total[name]),
      total: count(name, total[name]),
      allocated: parts.reduce((sum, part) => sum + count(name, part[name]), 0),
      inUse: used[name],
      // Containers that their CPU limit held back in more than one of a hundred periods.
      ...(name === "cpus" && { heldBack: all.filter(({ throttled }) => throttled > 1).length }),
    }))
    .filter(({ name, total: whole, isSet }) => isSet || whole > 0 || ["cpus", "mem", "disk"].includes(name));
}

const WORDS = /^TASK_/;

/** How many tasks are in each state, most first: `[["running", 12], …]`. */
export function countStates(tasks) {
  const counts = new Map();
  for (const { state } of tasks) {
    const word = state.replace(WORDS, "").toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([left, some], [right, more]) => more - some || (left < right ? -1 : 1));
}

/** How rows may be ordered; `undefined` of a figure comes last. */
export const ORDERS = {
  "": undefined,
  name: ({ executor, task }) => (task?.name || task?.id || executor.name || executor.id).toLowerCase(),
  started: ({ task }) => -amount(task?.started),
  cpu: ({ executor }) => -amount(executor.usage?.cpus),
  memory: ({ executor }) => -amount(executor.usage?.memory),
  state: ({ task }) => task?.state ?? "",
};

/** Rows in the order of that name, each beside its like; unknown names leave them as they come. */
export function ordered(rows, name) {
  const of = Object.hasOwn(ORDERS, name) ? ORDERS[name] : undefined;
  if (of === undefined) return rows;
  const keyed = rows.map((row) => [of(row), row]);
  keyed.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  return keyed.map(([, row]) => row);
}

/** Executor folders, so that the page knows where a sandbox begins and whose it is. */
export function readSandboxes(state) {
  const sandboxes = [];
  for (const framework of [...list(state?.frameworks), ...list(state?.completed_frameworks)]) {
    for (const executor of [...list(framework?.executors), ...list(framework?.completed_executors)]) {
      const tasks = [...list(executor?.tasks), ...list(executor?.queued_tasks), ...list(executor?.completed_tasks)];
      const name = tasks.length === 1 ? text(tasks[0]?.name) || text(tasks[0]?.id) : text(executor?.id);
      const task =
        tasks.length === 1
          ? { framework: text(framework?.id), container: text(executor?.container), id: text(tasks[0]?.id) }
          : undefined;
      sandboxes.push({ directory: text(executor?.directory), name, framework: text(framework?.name), task });
    }
  }
  return sandboxes.filter(({ directory }) => directory !== "");
}
