import { UserError } from "../base/errors.ts";

/**
 * Commands for supervisord. It reads a line of its file in three steps: comments off (` ;` and ` #`), Python format string
 * expanded (`%%`, `%(ENV_NAME)s`), words split as a POSIX shell would (quotes and backslashes only, nothing else).
 */

/** One word, so that Python's shlex.split gives it back unchanged. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** A command that init builds: words quoted, percent signs doubled. */
export function commandOf(words: readonly string[]): string {
  return words.map(quoteWord).join(" ").replaceAll("%", "%%");
}

/** Characters that the file itself would take as its own, by the variable that stands for each (supervisord.conf cannot escape them). */
const STAND_INS: Readonly<Record<string, string>> = {
  "\n": "INIT_NEWLINE",
  "\r": "INIT_RETURN",
  ";": "INIT_SEMICOLON",
  "#": "INIT_HASH",
};

export interface RenderedCommand {
  readonly text: string;
  /** Variables that supervisord needs in its environment to read `text`; its module takes them out again. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * `command`, a format string, as the value of a line in supervisord's file: it cannot end the line, begin a section, or be
 * cut short as a comment.
 */
export function renderCommand(command: string): RenderedCommand {
  const environment: Record<string, string> = {};
  const standIn = (character: string): string => {
    const name = STAND_INS[character] ?? "";
    environment[name] = character;
    return `%(ENV_${name})s`;
  };
  const text = command
    .trim()
    .replaceAll(/[\n\r]/g, standIn)
    .replaceAll(/(^|\s)([;#])/g, (_, before: string, character: string) => before + standIn(character));
  return { text, environment };
}

/** Names that supervisord expands in `command`, beside ENV_*. */
const EXPANSIONS = new Set(["program_name", "host_node_name", "process_num", "group_name", "here", "numprocs"]);

/**
 * What is wrong with a format string that `variable` holds, if anything: supervisord would refuse its whole configuration.
 * `environment` says whether a name exists.
 */
export function checkCommand(
  variable: string,
  command: string,
  environment: (name: string) => boolean,
): UserError | undefined {
  if (command.trim() === "") return new UserError(`${variable} is empty`, "unset it for the default");
  const rest = command.replaceAll("%%", "");
  for (const match of rest.matchAll(/%(?:\(([^)]*)\)([sd]))?/g)) {
    const [whole, name] = match;
    if (whole === "%") {
      return new UserError(
        `${variable} has a lone percent sign: ${command}`,
        "it is a Python format string: write %% for a percent sign",
      );
    }
    const known = name?.startsWith("ENV_") ? environment(name.slice(4)) : EXPANSIONS.has(name ?? "");
    if (!known) {
      return new UserError(
        `${variable} names %(${name})s, which does not exist`,
        "%(ENV_NAME)s stands for a variable that is set",
      );
    }
  }
  const problem = unbalanced(rest);
  return problem === undefined ? undefined : new UserError(`${variable} ${problem}: ${command}`, "close it");
}

/** An open quote or a backslash at the end, as shlex.split would find it. */
function unbalanced(command: string): string | undefined {
  let quote = "";
  for (let at = 0; at < command.length; at++) {
    const character = command[at] ?? "";
    if (quote === "'") quote = character === "'" ? "" : quote;
    else if (character === "\\") {
      at++;
      if (at >= command.length) return "ends with a backslash";
    } else if (quote === '"') quote = character === '"' ? "" : quote;
    else if (character === "'" || character === '"') quote = character;
  }
  return quote === "" ? undefined : `has no closing ${quote}`;
}

/** What a variable in a command stands for; undefined for one that is not documented. */
export interface Meaning {
  /** The documented name, where a misspelt or an old one was written. */
  readonly name: string;
  /** Undefined: documented, but not set. */
  readonly value: string | undefined;
  /** The value must not be written into supervisord's file. */
  readonly secret: boolean;
}

export interface ExpandedCommand {
  readonly text: string;
  readonly warnings: readonly string[];
}

const VARIABLE = /^\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/;

/** `value` where it is to stand as it is: between double quotes, or as a word of its own. */
function literal(value: string, quoted: boolean): string {
  if (value === "") return "";
  const text = quoted ? value.replaceAll(/["\\]/g, "\\$&") : quoteWord(value);
  return text.replaceAll("%", "%%");
}

/**
 * A line that ends with a backslash goes on in the next, as for a shell: outside single quotes. supervisord would take the line
 * end for an argument.
 */
function joinedLines(command: string): string {
  const join = (text: string): string =>
    text.replaceAll(/\\(\r?\n|[\s\S])/g, (whole, escaped: string) => (escaped.endsWith("\n") ? "" : whole));
  return command.replaceAll(/'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\\r?\n|\\[\s\S]/g, (whole) =>
    whole.startsWith("'") ? whole : join(whole),
  );
}

/**
 * Puts the values of documented variables in the place of `$NAME` and `${NAME}`, as a shell would outside single quotes. Any
 * other `$` stays, with a warning that no shell expands it. The command of a shell is left to that shell, which inherits them all.
 */
export function expandVariables(
  variable: string,
  command: string,
  meaningOf: (name: string) => Meaning | undefined,
): ExpandedCommand {
  // A format expansion of a misspelt name means the right one.
  const named = joinedLines(command).replaceAll(/%\(ENV_(\w+)\)s/g, (whole, name: string) =>
    meaningOf(name) === undefined ? whole : `%(ENV_${meaningOf(name)?.name})s`,
  );
  if (/^(ba|da|k|z)?sh$/.test(firstWord(named).split("/").at(-1) ?? "")) return { text: named, warnings: [] };
  const warnings: string[] = [];
  let text = "";
  let quote = "";
  for (let at = 0; at < named.length; ) {
    const character = named[at] ?? "";
    const found = character === "$" && quote !== "'" ? VARIABLE.exec(named.slice(at)) : null;
    if (found !== null) {
      const { written, warning } = standIn(variable, found[0], meaningOf(found[1] ?? found[2] ?? ""), quote === '"');
      text += written;
      if (warning !== undefined) warnings.push(warning);
      at += found[0].length;
      continue;
    }
    if (character === "\\" && quote !== "'") {
      text += named.slice(at, at + 2);
      at += 2;
      continue;
    }
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    if (character === "$" && quote !== "'" && /^\$[({`]/.test(named.slice(at)))
      warnings.push(`${variable} has ${named.slice(at, at + 20)}, which no shell expands: it stays as it is`);
    text += character;
    at++;
  }
  return { text, warnings };
}

function standIn(
  variable: string,
  whole: string,
  meaning: Meaning | undefined,
  quoted: boolean,
): { readonly written: string; readonly warning?: string } {
  if (meaning === undefined)
    return {
      written: whole,
      warning: `${variable} has ${whole}, which no shell expands: write %(ENV_${whole.replaceAll(/[${}]/g, "")})s`,
    };
  const { name, value, secret } = meaning;
  if (value === undefined)
    return { written: "", warning: `${variable} has ${whole}, but ${name} is not set: nothing stands there` };
  if (!secret) return { written: literal(value, quoted) };
  return {
    written: `%(ENV_${name})s`,
    warning: `${variable} has ${whole}, whose secret everybody can see in the list of processes: the agent reads ${name} by itself`,
  };
}

/** `command` with the path `from`, wherever it stands as a whole, replaced by `to`. */
export function replacePath(command: string, from: string, to: string): string {
  const escaped = from.replace(/\/+$/, "").replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return command.replaceAll(new RegExp(`(?<![\\w./-])${escaped}/*(?![\\w./-])`, "g"), () => to);
}

/** The first word of a command, as supervisord would run it; what it expands stays as it is written. */
export function firstWord(command: string): string {
  let word = "";
  let quote = "";
  const text = command.trimStart();
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote !== "" && character === quote) quote = "";
    else if (quote !== "'" && character === "\\") word += text[++at] ?? "";
    else if (quote !== "") word += character;
    else if (character === "'" || character === '"') quote = character;
    else if (/\s/.test(character)) break;
    else word += character;
  }
  return word.replaceAll("%%", "%");
}
