/**
 * The agent's hand in a sandbox: fetches a container's URIs as the task's user. Started by the agent alone (src/agent/
 * fetcher/fetch-process.ts), which says on stdin what to fetch; the answer goes to descriptor 3.
 */
import { closeSync, writeSync } from "node:fs";
import { become, closeInherited } from "../agent/fetcher/become.ts";
import { fetchDispatcher } from "../agent/fetcher/download.ts";
import { carryOut } from "../agent/fetcher/fetching.ts";
import { type FetchNews, type FetchOrder, FIRST_CACHED, OUTCOME, SANDBOX } from "../agent/fetcher/order.ts";
import { systemClock } from "../base/clock.ts";
import { formatLine, oneLine, type Severity } from "../base/glog-line.ts";

/** The order: the first line of stdin. The end of stdin later means that the agent is gone, and nobody waits any more. */
function readOrder(): Promise<FetchOrder> {
  return new Promise((resolve, reject) => {
    let text = "";
    let isRead = false;
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (piece: string) => {
      if (isRead) return;
      text += piece;
      isRead = text.includes("\n");
      if (isRead) resolve(JSON.parse(text) as FetchOrder);
    });
    process.stdin.on("end", () => {
      if (!isRead) reject(new Error("no order on stdin: only the agent starts this program"));
      else endAll();
    });
  });
}

/** With the programs that run for it: they are of its session, which it leads when the agent started it. */
function endAll(): never {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // Somebody else did.
  }
  process.exit(1);
}

function write(message: string, severity: Severity = "INFO"): void {
  const time = systemClock.now();
  writeSync(
    2,
    formatLine({ severity, time, threadId: process.pid, source: "fetcher.ts", line: 0, message: oneLine(message) }),
  );
}

/** Milliseconds between two lines about one file. */
const NEWS_EVERY = 500;
let told = { index: -1, at: 0 };

function progress(index: number, bytes: number, totalBytes: number | undefined): void {
  const at = systemClock.monotonic();
  if (index === told.index && at - told.at < NEWS_EVERY) return;
  told = { index, at };
  writeSync(OUTCOME, `${JSON.stringify({ kind: "progress", index, bytes, totalBytes } satisfies FetchNews)}\n`);
}

async function main(): Promise<void> {
  const order = await readOrder();
  closeInherited(FIRST_CACHED + order.items.filter(({ cached }) => cached !== undefined).length);
  // Before the switch of user, as the launcher does: a task's user need not be able to walk to its sandbox.
  process.chdir(`/proc/self/fd/${SANDBOX}`);
  closeSync(SANDBOX);
  become(order.user);
  const environment = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
  const outcome = await carryOut(order, {
    ...{ folder: ".", environment, dispatcher: fetchDispatcher(environment) },
    ...{ write, progress },
  });
  writeSync(OUTCOME, `${JSON.stringify(outcome)}\n`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`mesos-fetcher: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
