import { nearest } from "../base/nearest.ts";
import { defineFlags, type FlagTable, flag, hideUrlPassword } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import { boolean, duration, integer, path, text } from "../config/kinds.ts";

/** A word behind a command's flags. */
interface Operand {
  readonly name: string;
  /** `command`: all words behind `--`. */
  readonly kind: "task" | "agent" | "stream" | "shell" | "name" | "command";
  readonly isOptional?: true;
}

/** One command of `mesos-slave`: its help, its shell completion and its part of docs/command-line.md are made from this. */
export interface Command {
  readonly summary: string;
  readonly operands: readonly Operand[];
  readonly flags: FlagTable;
  /** Exit codes besides 0 and 64, for help and documentation. */
  readonly exits: string;
  readonly examples: readonly string[];
}

/** Which agent, and who asks. */
const where = defineFlags({
  agent: flag(text, {
    placeholder: "HOST:PORT",
    summary: "The agent to ask, also as `https://host:port`. Without this and --master: the agent of this node.",
  }),
  master: flag(text, {
    placeholder: "MASTER",
    summary:
      "Finds the agent through a master: `host:port`, several separated by commas, `zk://host1:2181,host2:2181/mesos`, or " +
      "`file:///path` of a file that holds one of these. Whoever does not lead says who does.",
    mask: hideUrlPassword,
  }),
  credential: flag(path, {
    placeholder: "FILE",
    summary:
      'File with your name and password, `principal secret` or JSON, also a list of them (`{"credentials": […]}`). Without it ' +
      "MESOS_CREDENTIAL or MESOS_CREDENTIALS name it, where that file can be read.",
  }),
  principal: flag(text, { placeholder: "NAME", summary: "Which one of the names of a file with several." }),
});
const framework = defineFlags({
  framework: flag(text, {
    placeholder: "ID",
    summary: "The framework of the task, where several have tasks of the same id.",
  }),
});
const speaking = defineFlags({
  interactive: flag(boolean, { short: "i", default: false, summary: "Passes on what is typed or piped here." }),
});
const LOST =
  "125 when there was no session or it was lost; 128 and the signal's number when a signal ended this command";

export const commands = {
  tasks: {
    summary: "Lists the tasks of an agent, or of all agents of a --master.",
    operands: [],
    flags: defineFlags({
      all: flag(boolean, {
        short: "a",
        default: false,
        summary: "Tasks that have ended, too, as far as they are known.",
      }),
      quiet: flag(boolean, { short: "q", default: false, summary: "Prints ids only." }),
      json: flag(boolean, { default: false, summary: "Prints JSON: an array with an object for each task." }),
      ...framework,
      ...where,
      ...helpFlags,
    }),
    exits: "1 when they cannot be had",
    examples: ["tasks", "tasks --json --master=zk://10.10.0.11:2181/mesos"],
  },
  logs: {
    summary: "Prints what a task has written to stdout, or to stderr.",
    operands: [
      { name: "TASK", kind: "task" },
      { name: "stdout|stderr", kind: "stream", isOptional: true },
    ],
    flags: defineFlags({
      follow: flag(boolean, {
        short: "f",
        default: false,
        summary: "Goes on with what is written, over rotations, until the task ends.",
      }),
      tail: flag(integer(0), { short: "n", placeholder: "LINES", summary: "Begins with the last so many lines." }),
      ...framework,
      ...where,
      ...helpFlags,
    }),
    exits: "1 when it cannot be read",
    examples: ["logs web.1", "logs -f web.1 stderr"],
  },
  exec: {
    summary: "Runs a command in a running task: its namespaces, control groups, user, environment and sandbox.",
    operands: [
      { name: "TASK", kind: "task" },
      { name: "COMMAND…", kind: "command" },
    ],
    flags: defineFlags({
      ...speaking,
      tty: flag(boolean, { short: "t", default: false, summary: "With a terminal of its own, as large as this one." }),
      ...framework,
      ...where,
      ...helpFlags,
    }),
    exits: `those of the command, 128 and the number of the signal that ended it; ${LOST}`,
    examples: ["exec web.1 -- ls -l", "exec -it web.1 -- sh", "exec -i web.1 -- tar x < files.tar"],
  },
  attach: {
    summary: "Shows the output of a task's own process, where its agent can be attached to it, and passes input on.",
    operands: [{ name: "TASK", kind: "task" }],
    flags: defineFlags({ ...speaking, ...framework, ...where, ...helpFlags }),
    exits: `that of the task's process, where the agent tells it; ${LOST}`,
    examples: ["attach web.1", "attach -i web.1"],
  },
  top: {
    summary: "Shows what tasks use of CPU and memory; anew every few seconds on a terminal, once elsewhere.",
    operands: [{ name: "AGENT", kind: "agent", isOptional: true }],
    flags: defineFlags({
      interval: flag(duration, { default: 2000, summary: "How long CPU is measured, and until it is shown anew." }),
      ...where,
      ...helpFlags,
    }),
    exits: "1 when it cannot be had",
    examples: ["top", "top 10.10.0.111 --master=10.10.0.11:5050"],
  },
  drain: {
    summary: "Has the master drain an agent: no new tasks, and the running ones are killed. Waits until it is empty.",
    operands: [{ name: "AGENT", kind: "agent", isOptional: true }],
    flags: defineFlags({
      max_grace_period: flag(duration, {
        summary: "The longest that a task may take to end, whatever its own kill policy says.",
      }),
      mark_gone: flag(boolean, {
        default: false,
        summary: "When it is empty the agent is marked gone: it can never come back under its id.",
      }),
      ...where,
      ...helpFlags,
    }),
    exits: "1 when it cannot be drained; 130 after Ctrl-C, which leaves it draining",
    examples: ["drain --master=10.10.0.11:5050", "drain 10.10.0.111 --max_grace_period=1mins --master=10.10.0.11:5050"],
  },
  completion: {
    summary: "Prints the completion of these commands for a shell: `source <(mesos-slave completion bash)`.",
    operands: [{ name: "bash|zsh", kind: "shell" }],
    flags: defineFlags(helpFlags),
    exits: "none",
    examples: ["completion bash > /etc/bash_completion.d/mesos-slave"],
  },
  help: {
    summary: "Explains these commands, or one of them.",
    operands: [{ name: "COMMAND", kind: "name", isOptional: true }],
    flags: defineFlags(helpFlags),
    exits: "none",
    examples: ["help exec"],
  },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof commands;

export const commandNames = Object.keys(commands) as readonly CommandName[];

/**
 * The command that a word in front of the agent's flags was meant to be (`taks`); undefined when it is near none that
 * begins alike. Mesos' agent
 * takes any word and ignores it, and a second agent is not what was asked for.
 */
export const commandMeant = (word: string | undefined): string | undefined =>
  nearest(
    word ?? "",
    [...commandNames, "doctor"].filter((name) => name[0] === word?.[0]),
  );

/** What misused words end with, as those of doctor and init (sysexits' EX_USAGE). */
export const USAGE = 64;

/** What a failure of the command itself ends with: `docker exec`'s, where the exit code is the remote command's. */
export const failureCode = (name: CommandName): number => (name === "exec" || name === "attach" ? 125 : 1);
