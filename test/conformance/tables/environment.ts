import { Environment_Variable_Type, Secret_Type } from "../../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { type Case, refused, says, shown } from "../case.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Names and values of one variable; a shell need not be able to say them. */
const VARIABLES: readonly (readonly [string, string])[] = [
  ["PLAIN", "value"],
  ["lower", "value"],
  ["_", "kept"],
  ["A.B", "dot"],
  ["A-B", "dash"],
  ["A B", "space"],
  ["ÜNÏ", "unicode"],
  ["1ST", "digit"],
  ["EMPTY", ""],
  ["EQUALS", "a=b=c"],
  ["ONLY_EQUALS", "="],
  ["SPACES", "  a  b  "],
  ["QUOTES", "'a' \"b\""],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the task says
  ["DOLLAR", "$HOME ${HOME} $(id)"],
  ["BACKSLASH", "a\\nb\\"],
  ["LINES", "a\nb"],
  ["UNICODE", "ünï 日本 😀"],
  ["LONG", "v".repeat(100_000)],
  ["HOME", "/nowhere"],
  ["USER", "somebody"],
  ["LANG", "C"],
  ["__proto__", "no prototype"],
  ["constructor", "no function"],
  ["MESOS_SANDBOX", "overridden"],
  ["MESOS_TASK_ID_LIKE", "mine"],
  ["LIBPROCESS_IP", "9.9.9.9"],
];

/** What C++ cannot run: its executor gets the environment as one argument, and reads its own settings from it. */
const BROKEN: Readonly<Record<string, string | undefined>> = {
  LONG: "C++ hands it over as an argument, and fails: Command exited with status 7",
  LIBPROCESS_IP: "C++'s own executor takes it for its address, and ends before it has registered",
};

/** Printed by a program: a shell drops names that it could not say. */
const plain: readonly Case[] = VARIABLES.map(([name, value]) => ({
  name: `variable ${shown(name)}=${shown(value)}`,
  task: {
    command: {
      shell: false,
      value: "printenv",
      arguments: ["printenv", name],
      environment: { variables: [{ name, value }] },
    },
  },
  expected: says(`${value}\n`),
  ...(BROKEN[name] !== undefined && { better: BROKEN[name] }),
}));

const secret = (value: object): Case["task"] => ({
  command: {
    shell: true,
    value: 'printf "[%s]" "$PASSWORD"',
    environment: { variables: [{ name: "PASSWORD", type: Environment_Variable_Type.SECRET, secret: value }] },
  },
});

export const environmentCases: readonly Case[] = [
  ...plain,
  {
    name: "a variable twice: the last one",
    task: {
      command: {
        shell: true,
        value: "echo $A",
        environment: {
          variables: [
            { name: "A", value: "first" },
            { name: "A", value: "last" },
          ],
        },
      },
    },
    expected: says("last\n"),
  },
  {
    name: "an environment without variables",
    task: { command: { shell: true, value: "echo ok", environment: { variables: [] } } },
    expected: says("ok\n"),
  },
  {
    name: "two hundred variables",
    task: {
      command: {
        shell: true,
        value: "env | grep -c ^MANY_",
        environment: { variables: Array.from({ length: 200 }, (_, n) => ({ name: `MANY_${n}`, value: `${n}` })) },
      },
    },
    expected: says("200\n"),
  },
  {
    name: "a secret by value",
    task: secret({ type: Secret_Type.VALUE, value: { data: bytes("hünter2") } }),
    expected: says("[hünter2]"),
    better: "C++ resolves it with the environment_secret isolator only, which is not its default",
  },
  {
    name: "an empty secret",
    task: secret({ type: Secret_Type.VALUE, value: { data: new Uint8Array() } }),
    expected: says("[]"),
    better: "C++ resolves it with the environment_secret isolator only, which is not its default",
  },
  {
    name: "a secret by reference",
    task: secret({ type: Secret_Type.REFERENCE, reference: { name: "vault/db" } }),
    expected: refused(/'PASSWORD'.*'vault\/db'.*no secret resolver/),
    better: "C++ fails it too, but names neither the variable nor the reference",
  },
];
