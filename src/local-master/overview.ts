import { enumName } from "../mesos/codec.ts";
import { DrainState, type Task, TaskStatus_ReasonSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { stateName } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";
import { type Agent, rolesOf } from "./model.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");

/** Rows that a table shows; there may be more tasks than a page should hold. */
const MOST_ROWS = 500;

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const body = rows
    .slice(0, MOST_ROWS)
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
    .join("\n");
  const none = rows.length === 0 ? `<tr><td colspan="${heads.length}">none</td></tr>` : "";
  const more =
    rows.length > MOST_ROWS ? `<p>… and ${rows.length - MOST_ROWS} more: see <a href="/tasks">/tasks</a></p>` : "";
  const head = heads.map((each) => `<th scope="col">${escapeHtml(each)}</th>`).join("");
  return `<h2>${escapeHtml(title)} (${rows.length})</h2><table><thead><tr>${head}</tr></thead><tbody>${body}${none}</tbody></table>${more}`;
}

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
td{word-break:break-word}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}pre{overflow:auto;padding:.6rem;background:#8882}`;

/** What the last status that says something says: its message, else its reason; in the words of the log. */
export function whyOf({ statuses }: Task): string {
  const status = statuses.at(-1);
  if (status === undefined) return "";
  const reason = Object.hasOwn(status, "reason")
    ? enumName(TaskStatus_ReasonSchema, status.reason).replace(/^REASON_/, "")
    : "";
  if (status.message === "") return reason;
  return reason === "" ? status.message : `${status.message} (${reason})`;
}

function agentState(cluster: Cluster, agent: Agent): string {
  const connection = agent.connected ? "connected" : "disconnected";
  const drain = cluster.drainInfo(agent.id)?.state;
  if (drain !== undefined) return `${connection}, ${drain === DrainState.DRAINED ? "drained" : "draining"}`;
  return cluster.deactivated.has(agent.id) ? `${connection}, deactivated` : connection;
}

function agentRows(cluster: Cluster): string[][] {
  return [...cluster.agents.values()].map((agent) => [
    `<a href="http://${escapeHtml(`${agent.pid.ip}:${agent.pid.port}`)}/">${escapeHtml(agent.info.hostname)}</a>`,
    escapeHtml(agent.id),
    agentState(cluster, agent),
    escapeHtml(formatResources(agent.total)),
    escapeHtml(formatResources(agent.used)) || "nothing",
  ]);
}

function offerRows(cluster: Cluster): string[][] {
  return [...cluster.offers.values()].map(({ id, frameworkId, agentId, role, resources }) => [
    escapeHtml(cluster.frameworks.get(frameworkId)?.info.name ?? frameworkId),
    escapeHtml(role),
    escapeHtml(cluster.agents.get(agentId)?.info.hostname ?? agentId),
    escapeHtml(formatResources(resources)),
    escapeHtml(id),
  ]);
}

function taskRows(cluster: Cluster): string[][] {
  return [...cluster.frameworks.values(), ...cluster.completedFrameworks].flatMap((framework) => {
    const live = [...framework.tasks.values(), ...framework.unreachable.values()].map(({ task }) => task);
    return [...live, ...framework.completed.toReversed()].map((task) => [
      escapeHtml(task.name),
      escapeHtml(idOf(task.taskId)),
      stateName(task.state),
      escapeHtml(whyOf(task)),
      escapeHtml(framework.info.name),
      escapeHtml(idOf(task.agentId)),
    ]);
  });
}

const PAGES = [
  "state",
  "state-summary",
  "slaves",
  "frameworks",
  "tasks",
  "roles",
  "metrics/snapshot",
  "health",
  "help",
];

/** A page with what runs where, what is offered to whom, and why tasks ended; no script. `url`: this master's. */
export function overviewPage(cluster: Cluster, url: string): string {
  const frameworks = [...cluster.frameworks.values()].map(({ id, info, sink, tasks }) => [
    escapeHtml(info.name),
    escapeHtml(id),
    escapeHtml(rolesOf(info).join(", ")),
    sink === undefined ? "disconnected" : "subscribed",
    String(tasks.size),
  ]);
  const refused = cluster.refused
    .toReversed()
    .map(({ taskId, framework, state, message }) => [
      escapeHtml(taskId),
      escapeHtml(framework),
      stateName(state),
      escapeHtml(message),
    ]);
  const links = PAGES.map((path) => `<a href="/${path}">/${path}</a>`).join(" · ");
  const example = `curl ${url}/api/v1 -H 'Content-Type: application/json' -d '{"type": "GET_TASKS"}'`;
  const tables = [
    table("Agents", ["Host", "Id", "State", "Resources", "Used"], agentRows(cluster)),
    table("Frameworks", ["Name", "Id", "Roles", "State", "Tasks"], frameworks),
    table("Offers", ["Framework", "Role", "Agent", "Resources", "Id"], offerRows(cluster)),
    table("Tasks", ["Name", "Id", "State", "Why", "Framework", "Agent"], taskRows(cluster)),
    ...(refused.length > 0 ? [table("Refused launches", ["Task", "Framework", "State", "Why"], refused)] : []),
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Development master</title><style>${STYLE}</style></head><body>
<h1>Development master</h1><p>For development: it forgets everything when it stops. ${links}</p>
<p>Schedulers: <code>POST /api/v1/scheduler</code>. Operators: <code>POST /api/v1</code>, such as</p><pre>${escapeHtml(example)}</pre>
${tables.join("\n")}
</body></html>`;
}
