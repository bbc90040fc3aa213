import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import type { Case } from "./case.ts";
import { type Run, runTable } from "./runner.ts";

export const RESOURCES = "--resources=cpus:1000;mem:1000000;disk:100000;ports:[31000-32000]";
export const FLAGS = [RESOURCES, "--no-switch_user", "--containerizers=mesos", "--isolation=posix/cpu,posix/mem"];

/** Runs the cases on the real agent, with a development master that speaks as `version`. */
export async function runOnOurs(cases: readonly Case[], flags: readonly string[], version?: string): Promise<Run> {
  const master = new LocalMaster({ port: 0, ...(version !== undefined && { version }) });
  await master.start();
  const agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  try {
    agent.start();
    return await runTable(cases, { master: master.address, workDir: agent.workDir });
  } finally {
    await agent.destroy();
    await master.stop();
  }
}
