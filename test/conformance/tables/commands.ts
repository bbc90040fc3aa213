import { type Case, exec, FINISHED, failed, refused, says, shell, shown } from "../case.ts";

const exits: readonly Case[] = [1, 2, 3, 42, 64, 126, 127, 128, 129, 130, 137, 143, 200, 255].map((code) => ({
  name: `exit ${code}`,
  task: shell(`exit ${code}`),
  expected: failed(`Command exited with status ${code}`),
}));

/** Signals by number, and what strsignal(3) calls them. */
const SIGNALS: readonly (readonly [number, string])[] = [
  [1, "Hangup"],
  [2, "Interrupt"],
  [3, "Quit"],
  [4, "Illegal instruction"],
  [5, "Trace/breakpoint trap"],
  [6, "Aborted"],
  [7, "Bus error"],
  [8, "Floating point exception"],
  [9, "Killed"],
  [10, "User defined signal 1"],
  [11, "Segmentation fault"],
  [12, "User defined signal 2"],
  [13, "Broken pipe"],
  [14, "Alarm clock"],
  [15, "Terminated"],
  [24, "CPU time limit exceeded"],
  [25, "File size limit exceeded"],
  [26, "Virtual timer expired"],
  [27, "Profiling timer expired"],
  [31, "Bad system call"],
];
const signals: readonly Case[] = SIGNALS.map(([signal, text]) => ({
  name: `signal ${signal}`,
  task: shell(`kill -${signal} $$`),
  expected: failed(new RegExp(`^Command terminated with signal ${text}( \\(core dumped\\))?$`)),
}));

const lines: readonly (readonly [string, string])[] = [
  ["echo 'a b'", "a b\n"],
  ['echo "$0"', "sh\n"],
  ["echo a; echo b", "a\nb\n"],
  ["echo a\necho b\n", "a\nb\n"],
  ["echo ünïcödé 😀", "ünïcödé 😀\n"],
  ["printf '\\\\'", "\\"],
  ["printf '%s' \"$PWD\" | tail -c 0; echo here", "here\n"],
  ["echo $((1 + 1))", "2\n"],
  ["echo a # a comment", "a\n"],
  ["  echo spaces  ", "spaces\n"],
  ["true && echo both", "both\n"],
  ["cat <<X\nin the document\nX", "in the document\n"],
  ["f() { echo $1; }; f called", "called\n"],
  ["cat < /dev/null; echo empty", "empty\n"],
  ["echo a >&2; echo b", "b\n"],
  ["set -- one two; echo $#", "2\n"],
  ["umask 077; umask", "0077\n"],
  [`echo ${"x".repeat(50_000)} | wc -c`, "50001\n"],
];
const shellLines: readonly Case[] = lines.map(([line, stdout]) => ({
  name: `shell ${shown(line)}`,
  task: shell(line),
  expected: says(stdout),
}));

const silent: readonly Case[] = ["", " ", "#", ":", "true", "\n", "exit", "(exit 0)", "exit 256", "sleep 0.2"].map(
  (line) => ({ name: `shell ${shown(line)}`, task: shell(line), expected: FINISHED }),
);

const broken: readonly Case[] = [
  ["a syntax error", "if", 2],
  ["an open quote", "echo 'a", 2],
  ["no such program", "no-such-program-here", 127],
  ["a folder", "/", 126],
].map(([name, line, code]) => ({
  name: `shell ${name}`,
  task: shell(`${line}`),
  expected: failed(`Command exited with status ${code}`),
}));

/** argv as it is: nobody splits, joins or interprets words. */
const words: readonly Case[] = [
  ["a b", "c"],
  [""],
  ["", ""],
  ["$HOME"],
  ["`id`"],
  ["*"],
  ["'q'", '"q"'],
  ["-n"],
  ["--"],
  ["a\nb"],
  ["\t"],
  ["ünï😀"],
  ["\\"],
  ["z".repeat(10_000)],
].map((list) => ({
  name: `words ${shown(list.join("|"))}`,
  task: exec("/bin/sh", "sh", "-c", 'for w; do printf "[%s]" "$w"; done', "x", ...list),
  expected: says(list.map((word) => `[${word}]`).join("")),
}));

const programs: readonly Case[] = [
  { name: "a program without arguments", task: exec("/bin/true"), expected: FINISHED },
  { name: "a program by its name", task: exec("true", "true"), expected: FINISHED },
  { name: "an argv[0] of its own", task: exec("/bin/sh", "mine", "-c", "echo $0"), expected: says("mine\n") },
  { name: "an empty argv[0]", task: exec("/bin/sh", "", "-c", "echo [$0]"), expected: says("[]\n") },
  {
    name: "many arguments",
    task: exec("/bin/sh", "sh", "-c", "echo $#", "x", ...Array.from({ length: 2000 }, (_, n) => `${n}`)),
    expected: says("2000\n"),
  },
  {
    name: "shell with arguments, which it does not take",
    task: { command: { value: "echo $#", shell: true, arguments: ["a", "b"] } },
    expected: says("0\n"),
  },
  { name: "an empty text for the shell", task: { command: { value: "" } }, expected: FINISHED },
  {
    name: "no text for the shell",
    task: { command: {} },
    expected: refused(/Shell command is not specified/),
    better: "in words; the executor of C++ aborts, and its task is told: Executor terminated",
  },
  {
    name: "no program, only arguments",
    task: { command: { shell: false, arguments: ["/bin/true"] } },
    expected: refused(/Executable path is not specified/),
    better: "in words; the executor of C++ aborts, and its task is told: Executor terminated",
  },
  {
    name: "a program that is not there",
    task: exec("/no/such/program", "x"),
    expected: refused(/\/no\/such\/program.*No such file/),
    better: "refused before it starts, in words; C++ runs it, and says: Command exited with status 1",
  },
  {
    name: "a program that may not be run",
    task: exec("/etc/passwd", "x"),
    expected: refused(/\/etc\/passwd.*Permission denied/),
    better: "refused before it starts, in words; C++ runs it, and says: Command exited with status 1",
  },
];

export const commandCases: readonly Case[] = [
  ...exits,
  ...signals,
  ...shellLines,
  ...silent,
  ...broken,
  ...words,
  ...programs,
];
