/**
 * Fetches one file after the other as the agent's fetch process does, in one process: a Node of its own for each of
 * 10,000 would take an hour. Started as root, in a sandbox: `node fetch-many.ts ORDER`, a FetchOrder in JSON. Unlike there,
 * a file that cannot be fetched does not end it. Prints how many could be.
 */
import { become } from "../../src/agent/fetcher/become.ts";
import { fetchDispatcher } from "../../src/agent/fetcher/download.ts";
import { carryOut } from "../../src/agent/fetcher/fetching.ts";
import type { FetchOrder } from "../../src/agent/fetcher/order.ts";

const order = JSON.parse(process.argv[2] ?? "") as FetchOrder;
become(order.user);
const environment = { PATH: process.env["PATH"] ?? "" };
const tools = {
  folder: ".",
  environment,
  dispatcher: fetchDispatcher(environment),
  write: () => undefined,
  progress: () => undefined,
};
const reasons = new Map<string, number>();
let done = 0;
for (const item of order.items) {
  const outcome = await carryOut({ ...order, items: [item] }, tools);
  if (outcome.kind === "done") done++;
  else if (process.env["SHOW"]) reasons.set(outcome.why.slice(0, 90), (reasons.get(outcome.why.slice(0, 90)) ?? 0) + 1);
}
console.log(done);
for (const [why, count] of reasons) console.error(count, why);
