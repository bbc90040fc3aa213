import { versionLine } from "../base/release.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { commandHelp, overview, PROGRAM } from "./help.ts";
import { type Asked, type Call, parseCall } from "./parse.ts";
import { type Shell, say } from "./shell.ts";

/** What carries a command out; only its own file is loaded. */
async function carryOut(call: Call, shell: Shell): Promise<number> {
  switch (call.name) {
    case "tasks":
      return await (await import("./list-tasks.ts")).listTasks(call as Call<"tasks">, shell);
    case "logs":
      return await (await import("./logs.ts")).logs(call as Call<"logs">, shell);
    case "exec":
      return await (await import("./exec.ts")).exec(call as Call<"exec">, shell);
    case "attach":
      return await (await import("./attach.ts")).attach(call as Call<"attach">, shell);
    case "top":
      return await (await import("./top.ts")).top(call as Call<"top">, shell);
    case "drain":
      return await (await import("./drain.ts")).drain(call as Call<"drain">, shell);
    default:
      await say(shell.output, (await import("./completion.ts")).completionText(call.operands[0] ?? ""));
      return 0;
  }
}

/** Runs the command that the words behind `mesos-slave` name; its exit code. Throws a UserError, a UsageError for the words. */
export async function runCommand(words: readonly string[], shell: Shell): Promise<number> {
  const call = parseCall(words);
  if (!("tell" in call)) return await carryOut(call, shell);
  await say(shell.output, textOf(call));
  return 0;
}

function textOf({ tell }: Asked): string {
  if (tell === "version") return `${versionLine(PROGRAM, MESOS_VERSION)}\n`;
  return tell === undefined ? overview() : commandHelp(tell);
}
