import { type Answer, json, text } from "../../http/answer.ts";
import type { Query } from "../../http/query.ts";
import { jsonText } from "../../mesos/json-text.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import type { JsonObject } from "./task-json.ts";

const escapeHtml = (given: string): string =>
  given.replaceAll(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char] ?? char);

const helpText = ({ summary, query }: Endpoint): string =>
  query === undefined ? summary : `${summary} Query: ${query}.`;

function helpJson(): JsonObject {
  const groups = Map.groupBy(endpoints as readonly Endpoint[], ({ process }) => process);
  return {
    processes: [...groups].map(([id, rows]) => ({
      id,
      endpoints: rows.map((row) => ({ name: row.path.slice(id.length + 1) || "/", text: helpText(row) })),
    })),
  };
}

const STYLE = `:root{color-scheme:light dark}body{max-width:72em;margin:0 auto;padding:16px 20px 40px;font:15px/1.5 system-ui,sans-serif;
background:light-dark(#f4f5f7,#14171a);color:light-dark(#1c2228,#e4e7ea)}a{color:light-dark(#1a5fa8,#7db8f2);overflow-wrap:anywhere}
dl{padding:4px 16px;border:1px solid light-dark(#dcdfe4,#353b41);border-radius:8px;background:light-dark(#fff,#1d2125)}
dt{margin-top:10px;font-weight:600}dd{margin:0 0 10px;color:light-dark(#5a646e,#a3adb6)}code{font-size:13px}`;

/** The way back from `/help/a/b` to the page, behind a proxy too. */
const homeOf = (rest: string): string => "../".repeat(rest.split("/").length - 1) || "./";

/** Endpoints that change something are named, but no link leads to them. */
const mayBeLinked = ({ method, realm, below }: Endpoint): boolean =>
  method === "GET" && realm !== "readwrite" && !below;

/** A text with its `code` marked as such. */
const marked = (given: string): string => escapeHtml(given).replaceAll(/`([^`]*)`/g, "<code>$1</code>");

function htmlOf(rows: readonly Endpoint[], rest: string): string {
  const home = homeOf(rest);
  const entry = (row: Endpoint): string => {
    const path = escapeHtml(row.path);
    const name = mayBeLinked(row) ? `<a href="${home}${path.slice(1)}">${path}</a>` : path;
    const also = row.aliases.map((alias) => `<code>${escapeHtml(alias)}</code>`).join(", ");
    const others = also === "" ? "" : ` Also: ${also}.`;
    return `<dt>${row.method === "POST" ? "POST " : ""}${name}</dt><dd>${marked(helpText(row))}${others}</dd>`;
  };
  const groups = [...Map.groupBy(rows, ({ process }) => process)].map(
    ([process, all]) => `<h2>${escapeHtml(process)}</h2><dl>${all.map(entry).join("")}</dl>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Endpoints of this Mesos agent</title><style>${STYLE}</style><p><a href="${home}">The node's page</a></p><h1>Endpoints</h1><p>Paths of <code>slave(1)</code> are served without that prefix too: <code>/state</code> is <code>/slave(1)/state</code>. With <code>?format=json</code> this list is JSON.</p>${groups.join("")}</html>`;
}

/** /help and everything below it: the table of endpoints, narrowed by `/help/<process>` or `/help/<process>/<route>`. */
export function help(rest: string, query: Query, userAgent: string | undefined): Answer {
  if (query("format") === "json") return json(jsonText(helpJson()));
  const wanted = decodeURIComponentSafely(rest);
  const rows = (endpoints as readonly Endpoint[]).filter(
    ({ path }) => path === wanted || path.startsWith(`${wanted}/`) || wanted === "",
  );
  if (rows.length === 0) return text(404, "There is no such endpoint; see /help.\n");
  if (/^(curl|HTTPie)/.test(userAgent ?? "")) {
    const lines = rows.map((row) => `- \`${row.path}\`: ${helpText(row)}`);
    return text(200, `# Endpoints\n\n${lines.join("\n")}\n`, { "content-type": "text/x-markdown" });
  }
  return text(200, htmlOf(rows, rest), {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
}

function decodeURIComponentSafely(given: string): string {
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}
