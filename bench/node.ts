import { LocalMaster } from "../src/local-master/local-master.ts";
import { freePort } from "../test/support/free-port.ts";
import { AgentProcess } from "../test/support/real-agent.ts";
import { TestScheduler } from "../test/support/scheduler.ts";

export interface MeasuredNode {
  readonly agent: AgentProcess;
  /** Subscribed, with an offer of the agent. */
  readonly scheduler: TestScheduler;
  close(): Promise<void>;
}

/** A development master, an agent with room for thousands of tasks in a process of its own, and a framework that checkpoints. */
export async function startNode(program: string | undefined): Promise<MeasuredNode> {
  const master = new LocalMaster({ port: 0 });
  await master.start();
  const agent = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: ["--resources=cpus:1000;mem:1000000;disk:100000;ports:[31000-32000]"],
    ...(program !== undefined && { program }),
  });
  agent.start();
  const options = { master: master.address, name: "bench", checkpoint: true, failoverTimeout: 3600 };
  const scheduler = new TestScheduler(options);
  const close = async (): Promise<void> => {
    scheduler.close();
    await agent.destroy();
    await master.stop();
  };
  try {
    await scheduler.subscribe();
    await scheduler.offer();
  } catch (error) {
    await close();
    throw error;
  }
  return { agent, scheduler, close };
}
