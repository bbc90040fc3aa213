import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { FlagValues } from "../config/flag.ts";
import { loadFlags, problemsText } from "../config/parse.ts";
import { type Command, type CommandName, commandNames, commands } from "./commands.ts";

/** A command line, understood. */
export interface Call<Name extends CommandName = CommandName> {
  readonly name: Name;
  readonly values: FlagValues<(typeof commands)[Name]["flags"]>;
  /** In the order of the table; those that were left out are missing at the end. */
  readonly operands: readonly string[];
  /** The words of the command that a task is to run. */
  readonly command: readonly string[];
}

/** What is only to be told: the help of one command or of all, or the version. */
export interface Asked {
  readonly tell: CommandName | "version" | undefined;
}

/** Words that cannot be understood. */
export class UsageError extends UserError {
  constructor(message: string, fix?: string) {
    super(message, fix);
    this.name = "UsageError";
  }
}

/** The letters of `-it` and `-fn`, each as a flag of its own; all but the last must be switches. */
function lettersApart(word: string, flags: Command["flags"]): string[] {
  const letters = [...(/^-([A-Za-z]{2,})$/.exec(word)?.[1] ?? "")];
  const rows = letters.map((letter) => Object.values(flags).find(({ short }) => short === letter));
  const areFlags = rows.every((row, index) => row !== undefined && (row.kind.isSwitch || index === rows.length - 1));
  return letters.length > 0 && areFlags ? letters.map((letter) => `-${letter}`) : [word];
}

/**
 * Where the command of a task begins. Behind `--`, before which flags may follow the task's id; without it, behind that id, as docker
 * has it: what follows there is the command's, whatever it looks like, a `--` of its own included.
 */
function cut(words: readonly string[], { flags, operands }: Command): [own: string[], command: string[]] {
  if (!operands.some(({ kind }) => kind === "command")) return [[...words], []];
  const takesValue = (word: string): boolean => {
    const name = /^--?([^=]+)$/.exec(word)?.[1] ?? "";
    const row = flags[name] ?? Object.values(flags).find(({ short }) => short === name);
    return row !== undefined && !row.kind.isSwitch;
  };
  const behindFlags = (from: number): number => {
    let at = from;
    while (words[at]?.startsWith("-") && words[at] !== "--") at += takesValue(words[at] ?? "") ? 2 : 1;
    return Math.min(at, words.length);
  };
  const task = behindFlags(0);
  if (words[task] === "--") return [words.slice(0, task), words.slice(task + 1)];
  const end = behindFlags(task + 1);
  if (words[end] === "--") return [words.slice(0, end), words.slice(end + 1)];
  return [words.slice(0, task + 1), words.slice(task + 1)];
}

/** The command that a first word names. Throws a UsageError. */
function commandNamed(word: string): CommandName {
  const name = commandNames.find((each) => each === word);
  if (name !== undefined) return name;
  const meant = nearest(word, commandNames);
  throw new UsageError(
    `'${word}' is not a command`,
    meant === undefined ? "see mesos-slave help" : `did you mean mesos-slave ${meant}?`,
  );
}

/** What is left out or too much of a command's operands. */
function checkOperands(name: CommandName, given: readonly string[], command: readonly string[]): void {
  const { operands }: Command = commands[name];
  const usage = `see mesos-slave help ${name}`;
  const plain = operands.filter(({ kind }) => kind !== "command");
  const missing = plain.slice(given.length).find(({ isOptional }) => !isOptional);
  if (missing?.kind === "task") throw new UsageError(`${name} needs a TASK`, "mesos-slave tasks lists them");
  if (missing !== undefined) throw new UsageError(`${name} needs ${missing.name}`, usage);
  if (given.length > plain.length) throw new UsageError(`'${given[plain.length]}' is too much`, usage);
  if (plain.length < operands.length && command.length === 0)
    throw new UsageError("there is no command to run", `mesos-slave ${name} ${given[0]} -- COMMAND`);
  for (const [index, { kind, name: choices }] of plain.entries()) {
    const word = given[index];
    // Every id begins with nothing: a variable that is not set would be the only task that runs.
    if (word === "" && (kind === "task" || kind === "agent"))
      throw new UsageError(`${kind === "task" ? "the TASK" : choices} is empty`, "is a variable in it not set?");
    if (word === undefined || (kind !== "stream" && kind !== "shell")) continue;
    if (!choices.split("|").includes(word))
      throw new UsageError(`'${word}' is not ${choices.replaceAll("|", " or ")}`, usage);
  }
}

/** Understands the words behind `mesos-slave`. Throws a UsageError. */
export function parseCall(words: readonly string[]): Call | Asked {
  const [first = "help", ...others] = words[0]?.startsWith("-") ? ["help", ...words] : words;
  const name = commandNamed(first);
  const command: Command = commands[name];
  const [own, remote] = cut(others, command);
  const { flags, ...loaded } = loadFlags(command.flags, {
    words: own.flatMap((word) => lettersApart(word, command.flags)),
    grammar: { words: "keep", spacedValues: true, shortNames: true },
    readFile: String,
  });
  const values = flags.values as unknown as Call["values"];
  if (values.version) return { tell: "version" };
  if (values.help) return { tell: name === "help" ? undefined : name };
  if ("problems" in loaded) throw new UsageError(problemsText(loaded.problems));
  if (name === "help") return { tell: flags.rest[0] === undefined ? undefined : commandNamed(flags.rest[0]) };
  checkOperands(name, flags.rest, remote);
  return { name, values, operands: flags.rest, command: remote };
}
