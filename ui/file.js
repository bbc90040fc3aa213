/** The log reader: the newest lines as they come, and any other place of a file. */
import { pause, query, Refused, seen } from "./ask.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { problemOf, say, showCrumbs } from "./folder.js";
import { bytes } from "./format.js";
import { find, PART, readPart, sizeOf } from "./parts.js";
import { addressOf } from "./route.js";
import { FileText } from "./text.js";

/** Milliseconds between looks at a file. */
const INTERVAL = 1_000;
/** Bytes that are caught up with. Who is further behind reads the newest: nobody reads a megabyte a second. */
const MOST_BEHIND = 4 * PART;
/** Pixels from the end that still are the end; from an edge where more is read. */
const AT_END = 40;
const NEAR = 300;

const place = byId("text");
const following = byId("follow");
const slider = byId("position");
const words = byId("search");

class Reader {
  #path;
  #leave;
  #text = new FileText(place);
  #size = 0;
  #isBusy = false;
  /** Resolves when what is under way is done. */
  #turn = Promise.resolve();
  #lastTop = 0;
  /** Where words were found last, and what ends a search. */
  #found;
  #searching;

  constructor(path, leave) {
    this.#path = path;
    this.#leave = leave;
    this.#follow(true);
    CSS.highlights?.clear();
  }

  #follow(isFollowing) {
    following.checked = isFollowing;
    byId("newest").hidden = isFollowing;
  }

  get #isAtEnd() {
    return place.scrollHeight - place.scrollTop - place.clientHeight < AT_END;
  }

  #scroll(top) {
    place.scrollTop = top;
    this.#lastTop = place.scrollTop;
  }

  #show() {
    const { begin, end } = this.#text;
    byId("earlier").disabled = begin === 0;
    byId("start").disabled = begin === 0 && place.scrollTop < 1;
    const height = Math.max(1, place.scrollHeight);
    const at = Math.round(begin + ((end - begin) * (this.#isAtEnd ? height : place.scrollTop)) / height);
    const share = this.#size === 0 ? 0 : Math.min(100, (100 * at) / this.#size);
    setText(
      byId("file-size"),
      following.checked || this.#size <= PART ? bytes(this.#size) : `${bytes(at)} of ${bytes(this.#size)}`,
    );
    if (slider !== document.activeElement || following.checked) slider.value = String(share * 10);
    setAttribute(slider, "aria-valuetext", `${Math.round(share)} %`);
    slider.parentElement.hidden = this.#size <= PART;
  }

  /**
   * One thing at a time: reading twice at once would show lines twice. What somebody asked for waits for its turn; a look
   * that comes meanwhile is left out, as the next one follows in a second.
   */
  async #alone(work, waits = true) {
    if (this.#isBusy && !waits) return;
    while (this.#isBusy) await this.#turn;
    if (this.#leave.aborted) return;
    this.#isBusy = true;
    const done = Promise.withResolvers();
    this.#turn = done.promise;
    try {
      await work();
      if (!this.#leave.aborted) this.#show();
    } finally {
      this.#isBusy = false;
      done.resolve();
    }
  }

  async #read(from, length) {
    return await readPart(this.#path, from, length, this.#leave);
  }

  /** Shows the file from about `at` on: from the first line that begins there. */
  async #begin(at) {
    const data = await this.#read(at, PART);
    if (this.#leave.aborted) return;
    const skipped = FileText.firstLine(data, at);
    this.#text.clear(at + skipped);
    this.#text.append(data.subarray(skipped));
  }

  async #further() {
    const data = await this.#read(this.#text.end, PART);
    if (data.length === 0 || this.#leave.aborted) return false;
    const before = this.#text.begin;
    const height = place.scrollHeight;
    this.#text.append(data);
    // What went at the beginning takes the place that is read with it.
    if (this.#text.begin !== before && !following.checked)
      this.#scroll(place.scrollTop - Math.max(0, height - place.scrollHeight));
    return true;
  }

  async #before() {
    const { begin } = this.#text;
    if (begin === 0) return;
    const from = Math.max(0, begin - PART);
    const data = await this.#read(from, begin - from);
    if (this.#leave.aborted || data.length === 0) return;
    const skipped = FileText.firstLine(data, from);
    const above = place.scrollTop;
    const first = place.firstElementChild;
    const offset = first.offsetTop;
    this.#text.prepend(data.subarray(skipped), from + skipped);
    this.#scroll(above + first.offsetTop - offset);
  }

  /** Looks at the file: its size, and while it is followed what is new. */
  async look() {
    await this.#alone(async () => {
      const size = await sizeOf(this.#path, this.#leave);
      if (this.#leave.aborted) return;
      this.#size = size;
      if (size < this.#text.end) {
        this.#text.clear(0);
        this.#follow(true);
        say("The file became shorter; this is its new content.");
      }
      if (!following.checked) return;
      const isFirst = this.#text.end === 0;
      if (size - this.#text.end > (isFirst ? PART : MOST_BEHIND)) await this.#begin(size - PART);
      let isNew = this.#text.end === size;
      while (this.#text.end < size && (await this.#further())) isNew = true;
      if (isNew && following.checked) this.#scroll(place.scrollHeight);
    }, false);
  }

  /** The place that `share` (0 to 1) of the file lies before. */
  async jump(share) {
    await this.#alone(async () => {
      this.#follow(false);
      const at = Math.min(Math.floor(this.#size * share), Math.max(0, this.#size - PART));
      await this.#begin(at);
      this.#scroll(0);
      if (share > 0) await this.#before();
    });
  }

  async newest() {
    this.#searching?.abort();
    this.#follow(true);
    await this.#alone(async () => {
      if (this.#text.end < this.#size) await this.#begin(Math.max(0, this.#size - PART));
      this.#scroll(place.scrollHeight);
    });
    await this.look();
  }

  hold() {
    this.#follow(false);
    this.#show();
  }

  async earlier() {
    this.#follow(false);
    await this.#alone(() => this.#before());
  }

  /** Somebody scrolls: up is a pause, down to the end goes on, and near an edge more is read. */
  async scrolled() {
    const top = place.scrollTop;
    const isUp = top < this.#lastTop - 1;
    this.#lastTop = top;
    if (isUp && !this.#isAtEnd) this.#follow(false);
    if (this.#isBusy) return;
    if (isUp && top < NEAR && this.#text.begin > 0) return await this.#alone(() => this.#before());
    const below = place.scrollHeight - top - place.clientHeight;
    if (!following.checked && below < NEAR && this.#text.end < this.#size)
      return await this.#alone(() => this.#further());
    if (!isUp && this.#isAtEnd && this.#text.end >= this.#size) this.#follow(true);
    this.#show();
  }

  /** Goes to the next place (or the one before) that has these words; after the end comes the beginning. */
  async search(text, isBackward) {
    this.#searching?.abort();
    if (text === "") return;
    const stop = new AbortController();
    this.#searching = stop;
    const leave = AbortSignal.any([this.#leave, stop.signal]);
    const size = await sizeOf(this.#path, leave);
    this.#size = size;
    const isAgain = this.#found?.text === text;
    const begin = isBackward ? (isAgain ? this.#found.at : size) : isAgain ? this.#found.at + 1 : 0;
    const rounds = isBackward
      ? [
          { from: begin, until: 0 },
          { from: size, until: begin },
        ]
      : [
          { from: begin, until: size },
          { from: 0, until: begin },
        ];
    let at;
    let done = 0;
    for (const round of rounds) {
      const progress = (reached) =>
        setText(
          byId("search-said"),
          `${Math.floor((100 * (done + Math.abs(reached - round.from))) / Math.max(1, size))} %`,
        );
      at = await find(this.#path, text, { ...round, isBackward }, leave, progress);
      if (at !== undefined) break;
      done += Math.abs(round.until - round.from);
    }
    setText(byId("search-said"), at === undefined ? "Not found" : `at ${bytes(at)}`);
    this.#found = at === undefined ? undefined : { at, text };
    if (at !== undefined) await this.#alone(() => this.#showFound(text.toLowerCase(), at));
  }

  /** Shows the line that has the byte `at`, and marks the words in it. */
  async #showFound(text, at) {
    this.#follow(false);
    const from = Math.max(0, at - PART);
    const before = at === 0 ? new Uint8Array() : await this.#read(from, at - from);
    const inside = before.subarray(before.lastIndexOf(10) + 1);
    const line = at - inside.length;
    const data = await this.#read(line, PART);
    if (this.#leave.aborted) return;
    this.#text.clear(line);
    this.#text.append(data);
    this.#scroll(0);
    await this.#before();
    const range = this.#text.rangeOf(text, line, new TextDecoder().decode(inside).length);
    if (range === undefined) return;
    CSS.highlights?.set("found", new Highlight(range));
    const box = range.getBoundingClientRect();
    this.#scroll(place.scrollTop + box.top - place.getBoundingClientRect().top - place.clientHeight / 3);
  }

  stopSearch() {
    this.#searching?.abort();
    setText(byId("search-said"), "");
  }
}

/** From one output of a task to the other. */
function showTabs(path, sandboxes) {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const isOutput = /\/(stdout|stderr)$/.test(path) && sandboxes.some(({ directory }) => directory === folder);
  const tabs = (isOutput ? ["stdout", "stderr"] : []).map((name) => {
    const isHere = path === `${folder}/${name}`;
    const link = element("a", { href: addressOf("file", { path: `${folder}/${name}` }) }, name);
    if (isHere) link.setAttribute("aria-current", "page");
    return link;
  });
  byId("outputs").replaceChildren(...tabs);
}

/** What its buttons do, as long as the file is shown. */
function connect(reader, leave) {
  const doing = (work) => async (event) => {
    try {
      await work(event);
    } catch (error) {
      if (!leave.aborted && error?.name !== "AbortError") say(problemOf(error));
    }
  };
  const on = (target, name, work) => target.addEventListener(name, doing(work), { signal: leave });
  on(byId("earlier"), "click", () => reader.earlier());
  on(byId("start"), "click", () => reader.jump(0));
  on(byId("newest"), "click", () => reader.newest());
  on(following, "change", () => (following.checked ? reader.newest() : reader.hold()));
  on(slider, "change", () => reader.jump(Number(slider.value) / 1000));
  on(place, "scroll", () => reader.scrolled());
  on(byId("searching"), "submit", (event) => {
    event.preventDefault();
    return reader.search(words.value, event.submitter?.value === "before");
  });
  on(words, "keydown", (event) => {
    if (event.key === "Escape") reader.stopSearch();
    if (event.key !== "Enter" || !event.shiftKey) return undefined;
    event.preventDefault();
    return reader.search(words.value, true);
  });
  on(place, "keydown", (event) => {
    if (event.key === "Home" && event.ctrlKey) return reader.jump(0);
    if (event.key === "End") return reader.newest();
    return undefined;
  });
}

/** Shows a file, its end first, and follows it until `leave` is aborted. `folder` is called when it is a folder. */
export async function showFile(path, sandboxes, leave, folder) {
  showCrumbs(path, false, sandboxes);
  showTabs(path, sandboxes);
  byId("folder").hidden = true;
  byId("file").hidden = false;
  byId("download").href = query("files/download", { path });
  setText(byId("file-size"), "");
  setText(byId("search-said"), "");
  words.value = "";
  say("");
  const reader = new Reader(path, leave);
  connect(reader, leave);
  let isTrouble = false;
  while (!leave.aborted) {
    try {
      await reader.look();
      if (isTrouble) say("");
      isTrouble = false;
    } catch (error) {
      if (leave.aborted) return;
      if (error instanceof Refused && error.message === "Cannot read a directory.") return folder();
      isTrouble = true;
      say(problemOf(error));
    }
    await pause(INTERVAL, leave);
    await seen(leave);
  }
}
