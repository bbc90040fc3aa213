import { idOf } from "../mesos/ids.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { stateName } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";

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
td{word-break:break-word}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}`;

/** A page with what runs where; no script. */
export function overviewPage(cluster: Cluster): string {
  const agents = [...cluster.agents.values()].map(({ id, info, pid, connected, total, used }) => [
    `<a href="http://${escapeHtml(`${pid.ip}:${pid.port}`)}/">${escapeHtml(info.hostname)}</a>`,
    escapeHtml(id),
    connected ? "connected" : "disconnected",
    escapeHtml(formatResources(total)),
    escapeHtml(formatResources(used)) || "nothing",
  ]);
  const frameworks = [...cluster.frameworks.values()].map(({ id, info, sink, tasks }) => [
    escapeHtml(info.name),
    escapeHtml(id),
    sink === undefined ? "disconnected" : "subscribed",
    String(tasks.size),
  ]);
  const tasks = [...cluster.frameworks.values(), ...cluster.completedFrameworks].flatMap((framework) =>
    [...[...framework.tasks.values()].map(({ task }) => task), ...framework.completed.toReversed()].map((task) => [
      escapeHtml(task.name),
      escapeHtml(idOf(task.taskId)),
      stateName(task.state),
      escapeHtml(framework.info.name),
      escapeHtml(idOf(task.agentId)),
    ]),
  );
  const links = ["state", "slaves", "frameworks", "tasks", "metrics/snapshot", "health"]
    .map((path) => `<a href="/${path}">/${path}</a>`)
    .join(" · ");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Development master</title><style>${STYLE}</style></head><body>
<h1>Development master</h1><p>For development: it forgets everything when it stops. ${links}</p>
${table("Agents", ["Host", "Id", "State", "Resources", "Used"], agents)}
${table("Frameworks", ["Name", "Id", "State", "Tasks"], frameworks)}
${table("Tasks", ["Name", "Id", "State", "Framework", "Agent"], tasks)}
</body></html>`;
}
