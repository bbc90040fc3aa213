/** The address: which view is shown, and what it is narrowed to. Everything is behind the `#`, so that a link keeps it. */

const VIEWS = ["completed", "task", "node", "metrics", "files", "file"];

/** The view and its parameters. */
export function route() {
  // Whatever is behind the first `?`: somebody who types a filter may write another.
  const [, path, search = ""] = /^#?\/?([^?]*)(?:\?(.*))?$/s.exec(location.hash);
  return { view: VIEWS.includes(path) ? path : "tasks", parameters: new URLSearchParams(search) };
}

/** An address of a view; parameters that are empty are left out. */
export function addressOf(view, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
  return `#/${view === "tasks" ? "" : view}${search}`;
}

/** Changes one parameter of the view that is shown, without a step in the browser's history. */
export function setParameter(name, value) {
  const { view, parameters } = route();
  if (value === "") parameters.delete(name);
  else parameters.set(name, value);
  history.replaceState(history.state, "", addressOf(view, Object.fromEntries(parameters)));
}
