/** The page's elements. Text is only ever set as text, and only where it changed: selection, focus and scrolling stay. */

/** An element with properties (`class`, attributes, `on…` listeners) and children: nodes, or strings that become text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

export function setText(node, value) {
  const wanted = String(value);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets an attribute, or takes it away when the value is undefined. */
export function setAttribute(node, name, value) {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

const known = new WeakMap();

/**
 * Makes the children of `parent` those of `items`, in their order. A child that is there already is kept and updated.
 * `create` gives a node and its update function.
 */
export function keyed(parent, items, keyOf, create) {
  const before = known.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    let key = keyOf(item);
    while (after.has(key)) key += "\n";
    after.set(key, { entry: before.get(key) ?? create(item), item });
  }
  // First those that went: then nothing that stays has to move, and what is focused keeps the focus.
  for (const [key, { node }] of before) if (!after.has(key)) node.remove();
  let next = parent.firstChild;
  for (const { entry, item } of after.values()) {
    entry.update?.(item);
    if (entry.node === next) next = next.nextSibling;
    else parent.insertBefore(entry.node, next);
  }
  known.set(parent, new Map([...after].map(([key, { entry }]) => [key, entry])));
}
