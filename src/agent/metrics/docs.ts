import { cell } from "../../config/docs.ts";
import { allMetrics } from "./table.ts";

/** docs/metrics.md, from the tables. */
export function metricsPage(): string {
  const lines = [
    "# The agent's metrics",
    "",
    "Made by `npm run docs` from src/agent/metrics/table.ts.",
    "",
    "`/metrics/snapshot` gives them as one flat JSON object. `/metrics/prometheus` gives them in Prometheus' text format:",
    "`slave/tasks_running` is `mesos_slave_tasks_running` there, counters end in `_total`, timers are summaries. A timer also",
    "gives `/count`, `/min`, `/max`, `/p50`, `/p90`, `/p95`, `/p99`, `/p999` and `/p9999` over the last hour. Counters begin at",
    "0 when the agent starts. What cannot be known is left out.",
    "",
    "| Name | Kind | Mesos | Meaning |",
    "|---|---|---|---|",
  ];
  for (const [name, { kind, summary, since }] of allMetrics()) {
    const present = since === undefined ? "all" : since === "this agent" ? since : `since ${since}`;
    lines.push(`| \`${name}\` | ${kind} | ${present} | ${cell(summary)} |`);
  }
  return `${lines.join("\n")}\n`;
}
