import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkCommand, commandOf, expandVariables, firstWord, type Meaning, renderCommand } from "./command.ts";

/** Words as a POSIX shell without expansions would split them: what Python's shlex.split does. */
function split(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < command.length; at++) {
    const character = command[at] ?? "";
    if (quote !== "" && character === quote) quote = "";
    else if (quote !== "") word = (word ?? "") + character;
    else if (character === "'" || character === '"') [quote, word] = [character, word ?? ""];
    else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  return word === undefined ? words : [...words, word];
}

test("words that init builds come back unchanged", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(split(commandOf(words).replaceAll("%%", "%"))).toEqual(words);
    }),
  );
});

test("what is rendered is one line that no comment cuts short, and stands for the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", " ", ";", "#", "\n", "\r", "'", "%", "[") }), (command) => {
      const { text, environment } = renderCommand(command);
      expect(text).not.toMatch(/[\n\r]|(^|\s)[;#]/);
      const expanded = text.replaceAll(/%\(ENV_(INIT_[A-Z]+)\)s/g, (_, name: string) => environment[name] ?? "");
      expect(expanded).toBe(command.trim());
    }),
  );
});

describe("checkCommand", () => {
  const check = (command: string): string | undefined => checkCommand("X", command, (name) => name === "SET")?.message;

  test.for(["mesos-slave", "a %% b", "%(ENV_SET)s --x", "%(program_name)s", `a 'b "' "c '" d\\ e`])(
    "takes %s",
    (command) => {
      expect(check(command)).toBeUndefined();
    },
  );

  test.for([
    ["", "empty"],
    ["50%", "lone percent"],
    ["%s", "lone percent"],
    ["%(ENV_UNSET)s", "does not exist"],
    ["%(nothing)s", "does not exist"],
    ["it's", "no closing '"],
    ['say "x', 'no closing "'],
    ["x\\", "ends with a backslash"],
  ] as const)("refuses %s", ([command, words]) => {
    expect(check(command)).toContain(words);
  });
});

test("the first word, quoted or not", () => {
  expect(firstWord("  '/a b/c' d")).toBe("/a b/c");
  expect(firstWord('"/x" y')).toBe("/x");
  expect(firstWord("/opt/scripts/redpill.sh -s mesos")).toBe("/opt/scripts/redpill.sh");
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (word) => {
      expect(firstWord(commandOf([word, "x"]))).toBe(word);
    }),
  );
});

describe("expandVariables", () => {
  const meaningOf = (name: string): Meaning | undefined =>
    name === "SET" ? { name, value: "v", secret: false } : undefined;
  const expand = (command: string) => expandVariables("X", command, meaningOf);

  test.for([
    ["a \\\n --b", "a  --b"],
    ["a\\\r\n --b \\\n", "a --b "],
    ['a "it\'s \\\n$SET" \\\\', 'a "it\'s v" \\\\'],
    ["sh -c 'a \\\n b' \\\n c", "sh -c 'a \\\n b'  c"],
  ] as const)("lines that go on are one: %j", ([given, expected]) => {
    expect(expand(given).text).toBe(expected);
  });
});
