/** The view of the agent's metrics. */
import { definitions } from "./definitions.js";
import { byId } from "./dom.js";
import { number } from "./format.js";

/** `metrics`: figures by name, as /metrics/snapshot gives them. */
export function showMetrics(metrics, filter) {
  const rows = Object.entries(metrics).filter(([name]) => name.toLowerCase().includes(filter));
  definitions(
    byId("metrics"),
    rows.map(([name, value]) => [name, number(value, 6)]),
  );
}
