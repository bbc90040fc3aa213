import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { statFields } from "../../src/base/process-stat.ts";
import { missing } from "../support/missing.ts";

const become = join(import.meta.dirname, "../../bin/become.js");

/** Not dead, and not one that waits only to be reaped. */
function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return statFields(stat)[0] !== "Z";
  } catch {
    return false;
  }
}

it("a program that an older Node runs for us dies with it, even of SIGKILL", async (context) => {
  if (spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status !== 0) missing(context, "setpriv(1) of util-linux");
  const program = "console.log(process.pid); setInterval(() => {}, 1000)";
  // An older Node cannot become another program.
  const older = `process.execve = undefined; require(${JSON.stringify(become)}).become(process.execPath, ["-e", ${JSON.stringify(program)}], process.env)`;
  const parent = spawn(process.execPath, ["-e", older], { stdio: ["ignore", "pipe", "inherit"] });
  const child = await new Promise<number>((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))));
  expect([child === parent.pid, alive(child)]).toEqual([false, true]);
  const gone = new Promise((resolve) => parent.once("close", resolve));
  parent.kill("SIGKILL");
  // `close` comes when the child's end of the pipe is closed, too.
  await gone;
  await expect.poll(() => alive(child)).toBe(false);
});
