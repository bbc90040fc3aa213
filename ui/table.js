/** Tables that CSS shows as cards on a narrow screen. */
import { element } from "./dom.js";

// Roles are said again: a table that is shown as cards is no table to a screen reader otherwise.
export function tableOf(columns, label, kind) {
  const body = element("tbody", { role: "rowgroup" });
  const head = columns.map((name) =>
    element("th", { scope: "col", role: "columnheader", class: `is-${name.toLowerCase()}` }, name),
  );
  const row = element("tr", { role: "row" }, ...head);
  const table = element(
    "table",
    { role: "table", "aria-label": label, class: kind },
    element("thead", { role: "rowgroup" }, row),
    body,
  );
  return { table, body };
}
