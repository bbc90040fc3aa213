import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";

/** A command block of the page, and what it prints: the block of text right behind it, or nothing. */
interface Step {
  readonly commands: string;
  readonly output: string;
}

const PAGE = join(import.meta.dirname, "../../docs/frameworks.md");
const MARK = "----- next step -----";

function stepsOf(page: string): Step[] {
  const blocks = page.matchAll(/^```sh\n(?<commands>[\s\S]*?)^```\n(?:```text\n(?<output>[\s\S]*?)^```\n)?/gm);
  return [...blocks].map(({ groups }) => ({ commands: groups?.["commands"] ?? "", output: groups?.["output"] ?? "" }));
}

let master: LocalMaster;
let agent: AgentProcess;

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  const flags = ["--resources=cpus:2;mem:2000;disk:1000"];
  agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  agent.start();
});

afterEach(async () => {
  await agent.destroy();
  await master.stop();
});

test("docs/frameworks.md does what it says, command by command", async () => {
  const steps = stepsOf(readFileSync(PAGE, "utf8"));
  expect(steps.length).toBeGreaterThan(10);
  const script = steps.map(({ commands }) => `${commands}echo '${MARK}'\n`).join("");
  const bash = spawn("bash", ["-e", "-o", "pipefail", "-c", script], {
    env: { ...process.env, MASTER: master.url },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const closed = new Promise((resolve) => bash.on("close", resolve));
  let [output, errors] = ["", ""];
  bash.stdout.on("data", (chunk) => (output += chunk));
  bash.stderr.on("data", (chunk) => (errors += chunk));
  const code = await new Promise((resolve) => bash.on("exit", resolve));
  // The subscription runs behind a script that failed half way: it would hold the pipes open.
  try {
    process.kill(-(bash.pid ?? 0), "SIGTERM");
  } catch {
    // Nothing is left of it.
  }
  await closed;
  const printed = output.split(`${MARK}\n`);
  expect({ code, errors, printed }).toEqual({
    code: 0,
    errors: "",
    printed: [...steps.map((step) => step.output), ""],
  });
});
