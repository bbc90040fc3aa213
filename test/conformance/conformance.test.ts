import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { differences, type Run, runTable } from "./runner.ts";
import { table } from "./table.ts";

const FLAGS = [
  "--resources=cpus:1000;mem:1000000;disk:100000;ports:[31000-32000]",
  "--no-switch_user",
  "--containerizers=mesos",
  "--isolation=posix/cpu,posix/mem",
];

it("the table has at least 250 odd tasks, each of its own", () => {
  expect(table.length).toBeGreaterThanOrEqual(250);
  expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
});

describe("an odd but legal task on the real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let run: Run;

  beforeAll(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({ master: master.address, port: await freePort(), flags: FLAGS });
    agent.start();
    run = await runTable(table, { master: master.address, workDir: agent.workDir });
  }, 600_000);
  afterAll(async () => {
    await agent.destroy();
    await master.stop();
  });

  it.each(table.map((one) => [one.name, one] as const))("%s", (_name, one) => {
    expect(differences(one, run)).toEqual([]);
  });
});
