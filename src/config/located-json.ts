import { UserError } from "../base/errors.ts";

/** A configuration after comments and variables, with the line of the file that each of its lines comes from. */
export interface ConfigText {
  readonly text: string;
  /** `lines[i]`: line in the file (from 1) of line i of `text`. */
  readonly lines: readonly number[];
  readonly warnings: readonly string[];
}

/** As Go's os.Expand names variables: letters, digits and underscores, or one special character. */
const VARIABLE = /\$(?:\$|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|([*#@!?0-9-]))/g;

/** Whether index `at` of a line lies inside a JSON text: texts do not go over line ends. */
function insideText(line: string, at: number): boolean {
  let inside = false;
  for (let index = 0; index < at; index++) {
    if (inside && line[index] === "\\") index++;
    else if (line[index] === '"') inside = !inside;
  }
  return inside;
}

const parses = (json: string): boolean => {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
};

/**
 * A variable's value as it goes between the quotes of a text. The old program put it there as it is, so that
 * `["$SERVERS"]` with `a:1","b:2` makes two servers: that stays. What would break the text is escaped.
 */
const quotable = (value: string): string =>
  parses(`["${value}"]`) || parses(`{"":"${value}"}`) ? value : JSON.stringify(value).slice(1, -1);

/**
 * Empties lines that hold only a `#` comment, and puts environment variables in: `$VAR`, `${VAR}`, and `$$` for a dollar
 * sign. A dollar sign before anything else stays. A variable that is not set becomes nothing, with a warning.
 * `texts`: `kept` leaves what stands between quotes as it is, for a copy that is prepared in its turn.
 */
export function prepareText(
  raw: string,
  lookUp: (variable: string) => string | undefined,
  texts: "expanded" | "kept" = "expanded",
): ConfigText {
  const lines: number[] = [];
  const text: string[] = [];
  const warnings: string[] = [];
  for (const [index, line] of raw
    .replace(/^\uFEFF/, "")
    .replaceAll("\r\n", "\n")
    .split("\n")
    .entries()) {
    const expanded = /^\s*#/.test(line)
      ? ""
      : line.replace(VARIABLE, (whole, ...found) => {
          const [braced, bare, special, at] = found as [string?, string?, string?, number?];
          const name = braced ?? bare ?? special;
          const isText = insideText(line, at ?? 0);
          if (isText && texts === "kept") return whole;
          if (name === undefined) return whole === "$$" ? "$" : whole;
          const value = lookUp(name);
          if (value === undefined) warnings.push(`line ${index + 1}: $${name} is not set and becomes nothing`);
          return isText ? quotable(value ?? "") : (value ?? "");
        });
    for (const part of expanded.split("\n")) {
      text.push(part);
      lines.push(index + 1);
    }
  }
  return { text: text.join("\n"), lines, warnings };
}

/** A JSON value with the line on which each of its parts begins. Keys are lower case, `_` and `-` in them spaces. */
export interface LocatedJson {
  readonly value: unknown;
  /** What was let pass. */
  readonly warnings: readonly { readonly line: number; readonly message: string }[];
  /** Line of the part at `path`, or of the nearest part around it. */
  lineOf(path: readonly PropertyKey[]): number;
}

/** A key that is there twice: sections and fields are put together, of anything else the last counts, as in Go. */
const together = (first: unknown, last: unknown): unknown =>
  [first, last].every((value) => typeof value === "object" && value !== null && !Array.isArray(value))
    ? { ...(first as object), ...(last as object) }
    : last;

/** Keys as the old program took them, whatever their case; `ssl_ca` and `ssl-ca` are taken for `ssl ca`. */
const normalized = (key: string): string => key.toLowerCase().replace(/[_-]+/g, " ").trim();

const DEEPEST = 64;

/** Parses JSON. Throws a UserError that says file, line, and what was expected. */
export function parseLocated(file: string, { text, lines }: ConfigText): LocatedJson {
  const parser = new LocatingParser(file, text, lines);
  const value = parser.parse();
  return {
    value,
    warnings: parser.warnings,
    lineOf: (path) => {
      for (let length = path.length; length >= 0; length--) {
        const line = parser.located.get(path.slice(0, length).map(String).join("\0"));
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

class LocatingParser {
  readonly located = new Map<string, number>();
  readonly warnings: { line: number; message: string }[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #lines: readonly number[];
  #at = 0;

  constructor(file: string, text: string, lines: readonly number[]) {
    this.#file = file;
    this.#text = text;
    this.#lines = lines;
  }

  parse(): unknown {
    const value = this.#value([], false);
    this.#space();
    if (this.#at < this.#text.length) this.#fail("something after the end of the configuration", "remove it");
    return value;
  }

  #line(at: number): number {
    let line = 0;
    for (let index = this.#text.indexOf("\n"); index !== -1 && index < at; index = this.#text.indexOf("\n", index + 1))
      line++;
    return this.#lines[line] ?? this.#lines.at(-1) ?? 1;
  }

  #fail(what: string, fix: string): never {
    throw new UserError(`${this.#file}:${this.#line(this.#at)}: ${what}`, fix);
  }

  /** Goes over blanks, and over a comment at the end of a line. */
  #space(): void {
    for (;;) {
      while (/\s/.test(this.#text[this.#at] ?? "x")) this.#at++;
      if (this.#text[this.#at] !== "#") return;
      const end = this.#text.indexOf("\n", this.#at);
      this.#at = end === -1 ? this.#text.length : end;
    }
  }

  /** `verbatim`: keys below are the user's own words (fields) and stay as written. */
  #value(path: readonly string[], verbatim: boolean): unknown {
    this.#space();
    if (path.length > DEEPEST) this.#fail("nested too deeply", "no option needs more than a few levels");
    this.located.set(path.join("\0"), this.#line(this.#at));
    const character = this.#text[this.#at];
    if (character === "{") return this.#object(path, verbatim);
    if (character === "[") return this.#array(path, verbatim);
    if (character === '"') return this.#string();
    const word = /^[^\s,\]}:"]+/.exec(this.#text.slice(this.#at, this.#at + 100))?.[0];
    if (word === undefined)
      this.#fail(
        character === undefined ? "the file ends too early" : `a value is expected before '${character}'`,
        "check for a comma too many, or a missing value, quote or bracket",
      );
    try {
      const value: unknown = JSON.parse(word);
      this.#at += word.length;
      return value;
    } catch {
      return this.#fail(`'${word}' is not a JSON value`, `put text in double quotes: "${word}"`);
    }
  }

  #string(): string {
    const match = /^"(?:[^"\\\n]|\\.)*"/.exec(this.#text.slice(this.#at));
    if (match === null) this.#fail("a text without an end", 'close it with " on the same line');
    try {
      const value = JSON.parse(match[0]) as string;
      this.#at += match[0].length;
      return value;
    } catch {
      return this.#fail(`${match[0]} is not a valid JSON text`, "write a backslash as \\\\");
    }
  }

  #object(path: readonly string[], verbatim: boolean): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at++;
    this.#list("}", () => {
      if (this.#text[this.#at] !== '"') this.#fail("a key in double quotes is expected", 'write "key": value');
      const key = this.#string();
      const name = verbatim ? key : normalized(key);
      this.#space();
      if (this.#text[this.#at] !== ":") this.#fail(`a colon is expected after "${key}"`, `write "${key}": value`);
      this.#at++;
      const isTwice = Object.hasOwn(object, name);
      if (isTwice)
        this.warnings.push({ line: this.#line(this.#at), message: `"${key}" is there twice: the last counts` });
      const given = this.#value([...path, name], verbatim || name === "fields");
      const value = isTwice ? together(object[name], given) : given;
      Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
    });
    return object;
  }

  #array(path: readonly string[], verbatim: boolean): unknown[] {
    const array: unknown[] = [];
    this.#at++;
    this.#list("]", () => array.push(this.#value([...path, String(array.length)], verbatim)));
    return array;
  }

  #list(end: string, item: () => void): void {
    this.#space();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#space();
      item();
      this.#space();
      const next = this.#text[this.#at];
      if (next !== "," && next !== end)
        this.#fail(`a comma or '${end}' is expected`, "check the end of the line before");
      this.#at++;
      if (next === end) return;
    }
  }
}
