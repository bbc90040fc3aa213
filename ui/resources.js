/** What the node has, what of it is allocated and what is in use: a card each. */
import { curve } from "./curves.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { megabytes, number } from "./format.js";
import { readResources } from "./model.js";

/** Which figure of the curves belongs to a resource. */
const CURVE_OF = { cpus: "cpus", mem: "memory" };

function resourceCard({ name }, curves) {
  const value = element("p", { class: "value" });
  const bar = element("div", {
    class: "meter",
    role: "meter",
    "aria-valuemin": "0",
    "aria-label": `${name} allocated`,
  });
  const part = element("span", { class: "allocated" });
  const inner = element("span", { class: "in-use" });
  bar.append(part, inner);
  const using = element("p", { class: "quiet" });
  const drawn = curve("spark", `${name} in use in the last ten minutes`, CURVE_OF[name] ?? "");
  const node = element("li", { class: "card" }, element("h3", {}, name), value, bar, using, drawn.svg);
  const update = (resource) => {
    const format = name === "mem" || name === "disk" ? megabytes : (amount) => number(amount, 3);
    bar.hidden = resource.isSet;
    drawn.update(curves.of("node"), undefined);
    if (resource.isSet) {
      setText(value, resource.text);
      return;
    }
    const share = (amount) => `${Math.min(100, resource.total > 0 ? (100 * amount) / resource.total : 0)}%`;
    setText(value, `${format(resource.allocated)} of ${format(resource.total)}`);
    setAttribute(bar, "aria-valuemax", String(resource.total));
    setAttribute(bar, "aria-valuenow", String(resource.allocated));
    setAttribute(bar, "aria-valuetext", value.textContent);
    part.style.width = share(resource.allocated);
    inner.style.width = share(resource.inUse ?? 0);
    const used = resource.inUse === undefined ? "" : `, ${format(resource.inUse)} in use`;
    const free = `, ${format(Math.max(0, resource.total - resource.allocated))} free`;
    const held = resource.heldBack > 0 ? `; ${resource.heldBack} throttled` : "";
    setText(using, `allocated${free}${used}${held}`);
  };
  return { node, update };
}

export function showResources(state, usage, curves) {
  keyed(
    byId("resources"),
    readResources(state, usage),
    ({ name }) => name,
    (resource) => resourceCard(resource, curves),
  );
}
