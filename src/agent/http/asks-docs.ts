import { cell } from "../../config/docs.ts";
import { type ActionRow, type Ask, actions } from "../authorization/actions.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import { callAsks, nearestActions } from "./operator/asks.ts";

const code = (text: string): string => `\`${text}\``;
const codes = (names: readonly string[]): string => names.map(code).join(", ");

function askText(ask: Ask): string {
  switch (ask.kind) {
    case "nothing":
      return `nothing: ${ask.why}`;
    case "refuses":
      return code(ask.action);
    case "file":
      return `${code("access_sandboxes")}, or ${code("access_mesos_logs")} for the log`;
    case "container": {
      const lists = ask.nested.startsWith("launch_")
        ? [`${ask.nested}_under_parent_with_user`, `${ask.nested}_as_user`]
        : [ask.nested];
      return ask.alone === undefined ? codes(lists) : `${codes(lists)}; of one that stands alone ${code(ask.alone)}`;
    }
    case "owned": {
      const isSame = ask.alone === ask.action;
      return isSame ? code(ask.action) : `${code(ask.action)}; of one that stands alone ${code(ask.alone)}`;
    }
    case "shows":
      return `shows what is allowed by ${codes(ask.actions)}`;
    case "call":
      return "what the call asks, below";
    case "executor":
      return "the executor's own token, with `--authenticate_http_executors`";
  }
}

/** What each endpoint and each call asks, for docs/authorization.md. */
export function asksBlock(): string {
  const rows = (endpoints as readonly Endpoint[]).map(
    ({ path, realm, asks }) =>
      `| ${code(path)} | ${realm === undefined ? "none" : code(`mesos-agent-${realm}`)} | ${cell(asks.map(askText).join("; "))} |`,
  );
  const calls = Object.entries(callAsks)
    .filter(([name]) => name !== "UNKNOWN")
    .map(([name, ask]) => `| ${code(name)} | ${cell(askText(ask))} |`);
  const nearest = Object.entries(nearestActions).map(([what, action]) => `| ${code(what)} | ${code(action)} |`);
  return [
    "| Endpoint | Realm | Asks |",
    "|---|---|---|",
    ...rows,
    "",
    "| Call of `/api/v1` | Asks |",
    "|---|---|",
    ...calls,
    "",
    "| What Mesos has no action for | Is asked as |",
    "|---|---|",
    ...nearest,
  ].join("\n");
}

const OBJECTS: Readonly<Record<ActionRow["kind"], string>> = {
  user: "users",
  role: "roles; `a/%` is all below `a`",
  path: "paths",
  principal: "principals",
  implicit: "ANY or NONE",
};

/** The actions of the file, for docs/authorization.md. */
export function actionsBlock(): string {
  const rows = (by: ActionRow["by"]): string[] =>
    Object.entries(actions as Readonly<Record<string, ActionRow>>)
      .filter(([, row]) => row.by === by)
      .map(
        ([name, { objects, kind, summary }]) =>
          `| ${code(name)} | ${code(objects)}: ${OBJECTS[kind]} | ${cell(summary)} |`,
      );
  const head = ["| Action | Objects | Allows to |", "|---|---|---|"];
  return [
    ...head,
    ...rows("agent"),
    "",
    "Read, so that one file serves masters and agents, and decided by masters alone:",
    "",
    ...head,
    ...rows("master"),
  ].join("\n");
}
