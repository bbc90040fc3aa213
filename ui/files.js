/** Sandboxes: a folder's list, and a file that is followed as it grows. */
import { byId, element, keyed, setText } from "./dom.js";
import { bytes, moment } from "./format.js";

/** What one request reads: the agent gives no more. */
const PART = 64 * 1024;
/** Bytes of a file that are shown at most; older ones go. */
const MOST_SHOWN = 1024 * 1024;
/** Milliseconds between looks at a file that is followed, and at a folder. */
const LOOK_AT_FILE = 1_000;
const LOOK_AT_FOLDER = 5_000;
const DEADLINE = 10_000;

const query = (page, parameters) => `files/${page}?${new URLSearchParams(parameters)}`;

/** A refusal of the agent: it answers, but not with what was asked for. */
class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(page, parameters, leave) {
  const signal = AbortSignal.any([leave, AbortSignal.timeout(DEADLINE)]);
  const response = await fetch(query(page, parameters), { signal, cache: "no-store" });
  if (response.ok) return response;
  const text = (await response.text()).trim().slice(0, 300);
  throw new Refused(response.status, text);
}

/** A part of a file as bytes. The agent puts them into its JSON as they are, so they are counted before they are decoded. */
async function readPart(path, offset, length, leave) {
  const answer = new Uint8Array(await (await ask("read", { path, offset, length }, leave)).arrayBuffer());
  let text = "";
  for (let at = 0; at < answer.length; at += 8192) text += String.fromCharCode(...answer.subarray(at, at + 8192));
  const { data } = JSON.parse(text);
  return Uint8Array.from(data, (char) => char.charCodeAt(0));
}

async function sizeOf(path, leave) {
  const { offset } = await (await ask("read", { path, offset: -1 }, leave)).json();
  return offset;
}

function pause(milliseconds, leave) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    leave.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}

/** Resolves when the page can be seen: nobody reads a hidden one. */
function seen(leave) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => {
    document.addEventListener("visibilitychange", () => done(), { signal: leave, once: true });
    leave.addEventListener("abort", () => done());
  });
}

function problemOf(error) {
  if (!(error instanceof Refused)) return "The agent does not answer. Trying again.";
  if (error.status === 404)
    return "This is not here. A sandbox is removed some time after its task has ended (--gc_delay).";
  if (error.status === 401) return "The agent asks for a password: open its page anew and give it.";
  return `The agent refuses this: ${error.message || error.status}`;
}

function say(problem) {
  const place = byId("files-problem");
  place.hidden = problem === "";
  setText(place, problem);
}

/** Where the sandbox begins, and the way from there, as links. */
function showCrumbs(path, isFolder, sandboxes) {
  const home = sandboxes.find(({ directory }) => path === directory || path.startsWith(`${directory}/`));
  const root = home?.directory ?? (isFolder ? path : path.slice(0, path.lastIndexOf("/")));
  const rest = path.slice(root.length).split("/").filter(Boolean);
  setText(byId("heading-files"), home === undefined ? path : home.name);
  const steps = [{ name: home === undefined ? root || "/" : "sandbox", path: root }];
  for (const name of rest) steps.push({ name, path: `${steps.at(-1).path}/${name}` });
  const crumbs = byId("crumbs");
  crumbs.replaceChildren(
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
  const head = ["Name", "Size", "Changed", "Mode", "Owner"].map((name) =>
    element("th", { scope: "col", role: "columnheader" }, name),
  );
  const body = element("tbody", { role: "rowgroup" });
  const table = element(
    "table",
    { role: "table", "aria-label": "Files" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)),
    body,
  );
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
      const entries = await (await ask("browse", { path }, leave)).json();
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

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
const COLOURS = /\x1b\[[0-9;?]*[A-Za-z]/g;

/** A part of a file, shown from byte `begin` to byte `end`. */
class FileText {
  #path;
  #leave;
  #decoder = new TextDecoder();
  #pieces = [];
  #shown = 0;
  begin = 0;
  end = 0;

  constructor(path, leave) {
    this.#path = path;
    this.#leave = leave;
  }

  clear(at) {
    byId("text").replaceChildren();
    this.#pieces = [];
    this.#shown = 0;
    this.#decoder = new TextDecoder();
    this.begin = at;
    this.end = at;
  }

  #piece(data, decoder) {
    // A piece never changes, so that selecting in it is not disturbed.
    const node = document.createTextNode(decoder.decode(data, { stream: true }).replace(COLOURS, ""));
    this.#shown += data.length;
    return { node, size: data.length };
  }

  /** Reads what came after the end. Resolves to whether there was something. */
  async further() {
    const data = await readPart(this.#path, this.end, PART, this.#leave);
    if (data.length === 0 || this.#leave.aborted) return false;
    const piece = this.#piece(data, this.#decoder);
    this.#pieces.push(piece);
    byId("text").append(piece.node);
    this.end += data.length;
    while (this.#shown > MOST_SHOWN && this.#pieces.length > 1) {
      const { node, size } = this.#pieces.shift();
      node.remove();
      this.#shown -= size;
      this.begin += size;
    }
    return true;
  }

  /** Reads what lies before the beginning; the place that is looked at stays. */
  async earlier() {
    const from = Math.max(0, this.begin - PART);
    const data = await readPart(this.#path, from, this.begin - from, this.#leave);
    if (this.#leave.aborted || data.length === 0) return;
    const text = byId("text");
    const below = text.scrollHeight - text.scrollTop;
    const piece = this.#piece(data, new TextDecoder());
    this.#pieces.unshift(piece);
    text.prepend(piece.node);
    this.begin = from;
    text.scrollTop = text.scrollHeight - below;
  }
}

function showPosition(text, size) {
  byId("earlier").disabled = text.begin === 0;
  const part = text.begin === 0 ? "" : `, from ${bytes(text.begin)} on`;
  setText(byId("file-size"), `${bytes(size)}${part}`);
}

/** Reads until the end; scrolls along when the end was in sight. */
async function follow(path, text, leave) {
  const place = byId("text");
  const size = await sizeOf(path, leave);
  if (size < text.end) {
    text.clear(0);
    say("The file became shorter; this is its new content.");
  }
  while (text.end < size && !leave.aborted) {
    const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
    if (!(await text.further())) break;
    if (isAtEnd) place.scrollTop = place.scrollHeight;
  }
  if (!leave.aborted) showPosition(text, size);
}

/** Shows a file, its end first, and follows it until `leave` is aborted. `folder` is called when it is a folder. */
export async function showFile(path, sandboxes, leave, folder) {
  showCrumbs(path, false, sandboxes);
  byId("folder").hidden = true;
  byId("file").hidden = false;
  byId("download").href = query("download", { path });
  const following = byId("follow");
  const text = new FileText(path, leave);
  text.clear(0);
  setText(byId("file-size"), "");
  say("");
  byId("earlier").addEventListener(
    "click",
    async () => {
      try {
        following.checked = false;
        await text.earlier();
        byId("earlier").disabled = text.begin === 0;
      } catch (error) {
        if (!leave.aborted) say(problemOf(error));
      }
    },
    { signal: leave },
  );
  let isBegun = false;
  let isTrouble = false;
  while (!leave.aborted) {
    try {
      if (!isBegun) text.clear(Math.max(0, (await sizeOf(path, leave)) - PART));
      if (!isBegun || following.checked) await follow(path, text, leave);
      if (isTrouble) say("");
      isTrouble = false;
      isBegun = true;
    } catch (error) {
      if (leave.aborted) return;
      if (error instanceof Refused && error.message === "Cannot read a directory.") return folder();
      isTrouble = true;
      say(problemOf(error));
    }
    await pause(LOOK_AT_FILE, leave);
    await seen(leave);
  }
}
