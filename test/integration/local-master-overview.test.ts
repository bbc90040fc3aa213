import { afterEach, beforeEach, expect, test } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

let master: LocalMaster;
let agent: AgentProcess;
let scheduler: TestScheduler;

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  const flags = ["--resources=cpus:2;mem:2000;disk:1000"];
  agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  agent.start();
  scheduler = new TestScheduler({ master: master.address, name: "<by hand>" });
  await scheduler.subscribe();
});

afterEach(async () => {
  scheduler.close();
  await agent.destroy();
  await master.stop();
});

const overview = async (): Promise<string> => (await fetch(`${master.url}/`)).text();

test("the page shows what is offered, why tasks ended, and which launches were refused", async () => {
  await scheduler.launch([commandTask("bad", "exit 3")]);
  await scheduler.until("end of bad", () => scheduler.terminalOf("bad"));
  await expect.poll(overview).toMatch(/<td>TASK_FAILED<\/td><td>[^<]*exited with status 3/);
  await expect.poll(overview).toMatch(/<h2>Offers \(1\)<\/h2>.*<td>&lt;by hand&gt;<\/td><td>\*<\/td>.*cpus/s);
  await scheduler.launch([
    commandTask("too large", "true", { resources: [{ name: "cpus", type: 0, scalar: { value: 64 } }] }),
  ]);
  await scheduler.until("refusal", () => scheduler.terminalOf("too large"));
  expect(await overview()).toMatch(/Refused launches.*<td>too large<\/td>.*more resources/s);
});

test("the page leads to everything else, and shows one call that works", async () => {
  const page = await overview();
  const links = [...page.matchAll(/href="(\/[^"]*)"/g)].map(([, path]) => path);
  expect(links).toEqual(expect.arrayContaining(["/help", "/state-summary", "/tasks"]));
  for (const path of links) expect([path, (await fetch(`${master.url}${path}`)).status]).toEqual([path, 200]);
  expect(page).toContain(`curl ${master.url}/api/v1`);
});
