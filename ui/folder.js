/** Sandboxes: a folder's list, and the way to where one is. */
import { askJson, pause, query, Refused, seen } from "./ask.js";
import { byId, element, keyed, setText } from "./dom.js";
import { bytes, moment } from "./format.js";
import { addressOf } from "./route.js";
import { tableOf } from "./table.js";

/** Milliseconds between looks at a folder. */
const LOOK_AT_FOLDER = 5_000;

export function problemOf(error) {
  if (!(error instanceof Refused)) return "The agent does not answer. Trying again.";
  if (error.status === 404)
    return "This is not here. A sandbox is removed some time after its task has ended (--gc_delay).";
  if (error.status === 401) return "The agent asks for a password: open its page anew and give it.";
  return `The agent refuses this: ${error.message || error.status}`;
}

export function say(problem) {
  const place = byId("files-problem");
  place.hidden = problem === "";
  setText(place, problem);
}

/** Where the sandbox begins, and the way from there, as links. */
export function showCrumbs(path, isFolder, sandboxes) {
  const home = sandboxes.find(({ directory }) => path === directory || path.startsWith(`${directory}/`));
  const root = home?.directory ?? (isFolder ? path : path.slice(0, path.lastIndexOf("/")));
  const rest = path.slice(root.length).split("/").filter(Boolean);
  setText(byId("heading-files"), home === undefined ? path : home.name);
  byId("heading-files").title = home === undefined ? path : home.name;
  const steps = [{ name: home === undefined ? root || "/" : "sandbox", path: root }];
  for (const name of rest) steps.push({ name, path: `${steps.at(-1).path}/${name}` });
  byId("crumbs").replaceChildren(
    ...(home?.task === undefined ? [] : [element("a", { href: addressOf("task", home.task) }, "task")]),
    ...steps.map(({ name, path: target }, index) =>
      index === steps.length - 1
        ? element("span", { "aria-current": "page" }, name)
        : element("a", { href: `#/files?path=${encodeURIComponent(target)}` }, name),
    ),
  );
}

function fileRow(entry) {
  const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
  const isFolder = entry.mode.startsWith("d");
  const kind = isFolder ? "files" : "file";
  const link = element("a", { href: `#/${kind}?path=${encodeURIComponent(entry.path)}` }, isFolder ? `${name}/` : name);
  const cells = ["Size", "Changed", "Mode", "Owner"].map((label) =>
    element("td", { role: "cell", "data-label": label }),
  );
  const node = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, link), ...cells);
  const update = ({ size, mtime, mode, uid, gid }) => {
    setText(cells[0], isFolder ? "" : bytes(size));
    setText(cells[1], moment(mtime));
    setText(cells[2], mode);
    setText(cells[3], `${uid}:${gid}`);
  };
  return { node, update };
}

function folderTable() {
  const { table, body } = tableOf(["Name", "Size", "Changed", "Mode", "Owner"], "Files", "folder");
  byId("folder").replaceChildren(element("article", { class: "card" }, table));
  return body;
}

/** Shows a folder until `leave` is aborted. */
export async function showFolder(path, sandboxes, leave) {
  showCrumbs(path, true, sandboxes);
  byId("file").hidden = true;
  byId("folder").hidden = false;
  const body = folderTable();
  say("");
  while (!leave.aborted) {
    try {
      const entries = await askJson(query("files/browse", { path }), leave);
      if (leave.aborted) return;
      keyed(body, entries, (entry) => entry.path, fileRow);
      say(entries.length === 0 ? "The folder is empty." : "");
    } catch (error) {
      if (!leave.aborted) say(problemOf(error));
    }
    await pause(LOOK_AT_FOLDER, leave);
    await seen(leave);
  }
}
