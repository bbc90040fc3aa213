/** What terminals do with a log: colours, and lines that are written over. Pure: text in, runs of one look out. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const SEQUENCE = /\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;

/** What a terminal shows of one line: after a `\r` it is written anew. */
export function overwritten(line) {
  const end = line.replace(/\r+$/, "");
  const at = end.lastIndexOf("\r");
  return at < 0 ? end : end.slice(at + 1);
}

/** The whole lines of a text, as a terminal leaves them. */
export const readable = (text) => (text.includes("\r") ? text.split("\n").map(overwritten).join("\n") : text);

export const PLAIN = { colour: undefined, bold: false };

/** The look after the parameters of an SGR sequence. Of 256 and more colours only the first sixteen are shown. */
function lookAfter(look, parameters) {
  let { colour, bold } = look;
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) [colour, bold] = [undefined, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 39) colour = undefined;
    else if (code >= 30 && code <= 37) colour = code - 30;
    else if (code >= 90 && code <= 97) colour = code - 90;
    else if (code === 38 || code === 48) {
      const isIndexed = codes[at + 1] === 5;
      if (code === 38) colour = isIndexed && codes[at + 2] < 16 ? codes[at + 2] % 8 : undefined;
      at += isIndexed ? 2 : 4;
    }
  }
  return { colour, bold };
}

/** Runs of text with one look each, and the look that what comes next begins with. */
export function styled(text, before = PLAIN) {
  let look = before;
  const runs = [];
  let from = 0;
  const add = (until) => {
    if (until > from) runs.push({ text: text.slice(from, until), ...look });
  };
  if (text.includes("\x1b")) {
    for (const match of text.matchAll(SEQUENCE)) {
      add(match.index);
      from = match.index + match[0].length;
      if (match[2] === "m") look = lookAfter(look, match[1]);
    }
  }
  add(text.length);
  return { runs, look };
}
