import { spawnSync } from "node:child_process";
import { BROKEN_PIPE } from "../base/broken-pipe.ts";
import { systemClock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { commandNames, failureCode, USAGE } from "../cli/commands.ts";
import { PROGRAM } from "../cli/help.ts";
import { UsageError } from "../cli/parse.ts";
import { runCommand } from "../cli/run.ts";
import type { Shell } from "../cli/shell.ts";

const words = process.argv.slice(2);
const name = commandNames.find((each) => each === words[0]);

process.stdout.on("error", (error) => process.exit(codeOf(error) === "EPIPE" ? BROKEN_PIPE : 1));
process.stderr.on("error", () => process.exit(1));

/**
 * Node leaves the translation of line ends on, which moves the cursor of a full-screen program to the left; it is stty that knows to
 * turn it off. What was before comes back as a whole.
 */
function setRaw(isRaw: boolean): void {
  process.stdin.setRawMode(isRaw);
  if (isRaw) spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
}

// However this ends, the terminal is as it was.
process.on("exit", () => {
  if (process.stdin.isTTY && process.stdin.isRaw) setRaw(false);
});

const shell: Shell = {
  environment: process.env,
  // Opened when it is used: a command that reads nothing does not touch it.
  get input() {
    return process.stdin;
  },
  output: process.stdout,
  errors: process.stderr,
  signals: process,
  clock: systemClock,
  setRaw,
};

runCommand(words, shell).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`${PROGRAM}${name === undefined ? "" : ` ${name}`}: ${messageOf(error)}`);
    process.exit(error instanceof UsageError ? USAGE : failureCode(name ?? "help"));
  },
);
