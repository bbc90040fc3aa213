/** A part of a file as the reader shows it: whole lines in blocks, and the line that is not yet at its end. */
import { overwritten, PLAIN, readable, styled } from "./ansi.js";
import { element } from "./dom.js";

/** Bytes that are shown at most; what is furthest from where somebody reads goes. */
const MOST_SHOWN = 1024 * 1024;
/** A line that is longer is shown in pieces. */
const LONGEST_LINE = 64 * 1024;
const NEWLINE = 10;

const isInsideCharacter = (byte) => (byte & 0xc0) === 0x80;
const decode = (bytes) => new TextDecoder().decode(bytes, { stream: true });

/** Nodes for a text with its colours; plain text is one node. */
function nodesOf(text, before) {
  const { runs, look } = styled(text, before);
  const nodes = runs.map(({ text: part, colour, bold }) => {
    if (colour === undefined && !bold) return document.createTextNode(part);
    const names = [colour === undefined ? "" : `c${colour}`, bold ? "bold" : ""].filter(Boolean).join(" ");
    return element("span", { class: names }, part);
  });
  return { nodes, look };
}

/** Shows the bytes of a file from `begin` to `end` in `place`. */
export class FileText {
  #place;
  /** Blocks of whole lines, in the order of the file: `{ node, size }`. */
  #blocks = [];
  #shown = 0;
  /** The bytes behind the last newline, and where they are shown. */
  #open = new Uint8Array();
  #openNode = element("div");
  #look = PLAIN;
  begin = 0;
  end = 0;

  constructor(place) {
    this.#place = place;
    this.clear(0);
  }

  clear(at) {
    this.#blocks = [];
    this.#shown = 0;
    this.#open = new Uint8Array();
    this.#openNode = element("div");
    this.#look = PLAIN;
    this.#place.replaceChildren(this.#openNode);
    this.begin = at;
    this.end = at;
  }

  /** Where in `data`, which begins at byte `offset` of the file, the first whole line begins; nowhere: a whole character. */
  static firstLine(data, offset) {
    if (offset === 0) return 0;
    const at = data.indexOf(NEWLINE) + 1;
    if (at > 0 && at < data.length) return at;
    let begin = 0;
    while (begin < 3 && isInsideCharacter(data[begin])) begin++;
    return begin;
  }

  #block(data, before) {
    const { nodes, look } = nodesOf(readable(decode(data)), before);
    const block = { node: element("div", {}, ...nodes), size: data.length };
    this.#shown += data.length;
    return { block, look };
  }

  /** Adds what comes after the end. */
  append(data) {
    const all = new Uint8Array(this.#open.length + data.length);
    all.set(this.#open);
    all.set(data, this.#open.length);
    let cut = all.lastIndexOf(NEWLINE) + 1;
    if (all.length - cut > LONGEST_LINE) {
      cut = all.length - 1;
      while (cut > 0 && isInsideCharacter(all[cut])) cut--;
    }
    if (cut > 0) {
      const { block, look } = this.#block(all.subarray(0, cut), this.#look);
      this.#look = look;
      this.#blocks.push(block);
      this.#openNode.before(block.node);
    }
    this.#open = all.slice(cut);
    this.#openNode.replaceChildren(...nodesOf(overwritten(decode(this.#open)), this.#look).nodes);
    this.end += data.length;
    while (this.#shown > MOST_SHOWN && this.#blocks.length > 1) {
      const { node, size } = this.#blocks.shift();
      node.remove();
      this.#shown -= size;
      this.begin += size;
    }
  }

  /** Adds what comes before the beginning: whole lines, from byte `from` on. */
  prepend(data, from) {
    const { block } = this.#block(data, PLAIN);
    this.#blocks.unshift(block);
    this.#place.prepend(block.node);
    this.begin = from;
    while (this.#shown > MOST_SHOWN && this.#blocks.length > 2) {
      const { node, size } = this.#blocks.pop();
      node.remove();
      this.#shown -= size;
      this.end -= size + this.#open.length;
      this.#open = new Uint8Array();
      this.#openNode.replaceChildren();
    }
  }

  /** Where `words` are shown first at or behind byte `at`, which is the beginning of a block; undefined: nowhere. */
  rangeOf(words, at, skipped) {
    let begin = this.begin;
    const blocks = [...this.#blocks, { node: this.#openNode, size: this.#open.length }];
    const block = blocks.find(({ size }) => {
      const isHere = begin >= at;
      begin += size;
      return isHere;
    });
    if (block === undefined) return undefined;
    const text = block.node.textContent.toLowerCase();
    const behind = text.indexOf(words, skipped);
    const index = behind >= 0 ? behind : text.indexOf(words);
    return index < 0 ? undefined : rangeIn(block.node, index, words.length);
  }
}

/** The range of `length` characters from the `index`th of a node's text on. */
function rangeIn(node, index, length) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let before = 0;
  let isBegun = false;
  for (let text = walker.nextNode(); text !== null; text = walker.nextNode()) {
    const after = before + text.length;
    if (!isBegun && index < after) {
      range.setStart(text, index - before);
      isBegun = true;
    }
    if (isBegun && index + length <= after) {
      range.setEnd(text, index + length - before);
      return range;
    }
    before = after;
  }
  return undefined;
}
