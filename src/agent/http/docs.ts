import { cell } from "../../config/docs.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";

/** docs/endpoints.md, from the table. */
export function endpointsPage(): string {
  const groups = Map.groupBy(endpoints as readonly Endpoint[], ({ process }) => process);
  const lines = [
    "# The agent's pages",
    "",
    "Made by `npm run docs` from src/agent/http/endpoints.ts.",
    "",
    "Paths of `slave(1)` are served without that prefix too: `/state` is `/slave(1)/state`. JSON pages take `jsonp=NAME`",
    "and may be read from other origins, unless they show a sandbox or change something; `--http_cors_allowed_origins` names",
    "those that may use all of them, and then others get nothing. Bodies of 1024 bytes and more are",
    "compressed when the client accepts gzip. Every path answers HEAD as GET, OPTIONS with its methods, and others",
    "with 405. Pages of the realm `mesos-agent-readonly` ask for a password with `--authenticate_http_readonly`,",
    "those of `mesos-agent-readwrite` with `--authenticate_http_readwrite`.",
    "A rate limit of two requests a second (`LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT`) makes further ones wait.",
    "A path in `--firewall_rules` disables every spelling of its endpoint. What each asks of `--acls` is in",
    "[authorization.md](authorization.md).",
    "",
  ];
  for (const [process, rows] of groups) {
    lines.push(`## ${process}`, "", "| Path | Also | Method | Realm | Mesos | Meaning |", "|---|---|---|---|---|---|");
    for (const row of rows) {
      const also = row.aliases.map((alias) => `\`${alias}\``).join(", ");
      const query = row.query === undefined ? "" : ` Query: ${row.query}.`;
      const limited = row.limited ? " Rate limited." : "";
      const later = row.afterRecovery ? " 503 until recovery is done." : "";
      const cells = [
        `\`${row.path}${row.below ? "[/…]" : ""}\``,
        also === "" ? "—" : also,
        row.method,
        row.realm === undefined ? "none" : `mesos-agent-${row.realm}`,
        row.present,
        cell(`${row.summary}${query}${limited}${later}`),
      ];
      lines.push(`| ${cells.join(" | ")} |`);
    }
    lines.push("");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
