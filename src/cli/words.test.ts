import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ScriptedShell } from "../../test/support/scripted-shell.ts";
import { commandMeant, commandNames, commands, failureCode } from "./commands.ts";
import { commandFlagsBlock, commandsBlock } from "./docs.ts";
import { parseCall, UsageError } from "./parse.ts";
import { runCommand } from "./run.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("the words of a command", () => {
  const parsed = (text: string) => {
    const call = parseCall(text.split(" "));
    return "tell" in call ? call : { ...call, values: undefined, flags: call.values };
  };

  it.each([
    ["exec -it t -- sh -c x", ["t"], ["sh", "-c", "x"]],
    ["exec t -it -- sh", ["t"], ["sh"]],
    ["exec -i -t t sh -c -i", ["t"], ["sh", "-c", "-i"]],
    ["exec -ti --agent h:1 t sh", ["t"], ["sh"]],
    ["exec -it --agent=h:1 t -- --", ["t"], ["--"]],
    ["exec -it t grep -- -x f", ["t"], ["grep", "--", "-x", "f"]],
    ["exec -i t --agent h:1 -t -- sh", ["t"], ["sh"]],
  ])("%s", (text, operands, command) => {
    expect(parsed(text)).toMatchObject({ name: "exec", operands, command, flags: { interactive: true, tty: true } });
  });

  it.each([
    ["logs t", { follow: false }, ["t"]],
    ["logs -f t stderr", { follow: true }, ["t", "stderr"]],
    ["logs t -fn 3", { follow: true, tail: 3 }, ["t"]],
    ["logs --tail=0 t", { tail: 0 }, ["t"]],
    ["tasks -aq", { all: true, quiet: true }, []],
    ["drain --mark_gone a --max_grace_period=1mins", { mark_gone: true, max_grace_period: 60_000 }, ["a"]],
    ["top --interval=500ms", { interval: 500 }, []],
  ])("%s", (text, flags, operands) => {
    expect(parsed(text)).toMatchObject({ flags, operands });
  });

  it.each([
    ["logs", "logs needs a TASK\n  Fix: mesos-slave tasks lists them"],
    ["logs ", "the TASK is empty\n  Fix: is a variable in it not set?"],
    ["exec  -- rm -r x", "the TASK is empty"],
    ["drain ", "AGENT is empty"],
    ["top ", "AGENT is empty"],
    ["logs t stdin", "'stdin' is not stdout or stderr"],
    ["logs t stdout more", "'more' is too much"],
    ["exec t", "there is no command to run\n  Fix: mesos-slave exec t -- COMMAND"],
    ["exec t --", "there is no command to run"],
    ["exec -- sh", "exec needs a TASK"],
    ["completion fish", "'fish' is not bash or zsh"],
    ["taks", "did you mean mesos-slave tasks?"],
    ["tasks --al", "did you mean --all?"],
    ["tasks -x", "unknown flag 'x'"],
    ["help exce", "did you mean mesos-slave exec?"],
  ])("%s is told what is wrong", (text, why) => {
    const act = (): unknown => parseCall(text.split(" "));
    expect(act).toThrow(UsageError);
    try {
      act();
    } catch (error) {
      expect((error as UsageError).text).toContain(why);
    }
  });
});

it("a misspelt command is no word for the agent, which would ignore it and start", () => {
  expect(["taks", "lgos", "docter", "exce"].map(commandMeant)).toEqual(["tasks", "logs", "doctor", "exec"]);
  expect([undefined, "", "--taks", "foo", "true", "word", "mesos"].map(commandMeant)).toEqual(Array(7).fill(undefined));
});

it("every command has help, with each of its flags", async () => {
  for (const name of commandNames) {
    const shell = new ScriptedShell();
    expect(await runCommand(name === "help" ? ["help"] : ["help", name], shell)).toBe(0);
    const asked = new ScriptedShell();
    if (name !== "help") await runCommand([name, "--help"], asked);
    for (const flag of name === "help" ? commandNames : Object.keys(commands[name].flags)) {
      expect(shell.text).toContain(flag);
      if (name !== "help") expect(asked.text).toContain(flag);
    }
  }
});

it.each([
  [["tasks", "--version"], /^mesos-slave \d/],
  [["--version"], /^mesos-slave \d/],
  [["--help"], /^Usage: mesos-slave COMMAND/],
  [[], /^Usage: mesos-slave COMMAND/],
  [["help", "--help"], /^Usage: mesos-slave COMMAND/],
])("%j tells it", async (words, text) => {
  const shell = new ScriptedShell();
  expect([await runCommand(words, shell), shell.text]).toEqual([0, expect.stringMatching(text)]);
});

it("the programs on the path know the words of the table", () => {
  const list = commandNames.map((name) => `"${name}"`).join(", ");
  expect(read("bin/mesos-slave")).toContain(`[${list}]`);
  for (const name of ["mesos-slave", "mesos-agent"])
    expect(read(`skel/usr/local/bin/${name}`)).toContain(`\n  ${commandNames.join("|")}) `);
});

it.each(["bash", "zsh"])("the completion for %s has every command and flag", async (shell) => {
  const scripted = new ScriptedShell();
  await runCommand(["completion", shell], scripted);
  const { text } = scripted;
  for (const name of commandNames) {
    expect(text).toContain(`    ${name}) flags="`);
    for (const flag of Object.keys(commands[name].flags)) expect(text).toContain(`--${flag}`);
  }
  expect(text).toContain('logs) flags="-f --follow -n --tail=');
  expect(text).toContain('first="$(mesos-slave tasks --quiet 2>/dev/null)" second="stdout stderr"');
});

it("the documentation has every command, flag and exit code", () => {
  const page = read("docs/command-line.md");
  expect(page).toContain(commandsBlock());
  expect(page).toContain(commandFlagsBlock());
});

it("a failure is told from the exit code of a remote command", () => {
  expect([failureCode("exec"), failureCode("attach"), failureCode("logs")]).toEqual([125, 125, 1]);
});
