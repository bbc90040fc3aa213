import type { AgentProcess } from "./real-agent.ts";

/** The JSON of a container id whose parents are given first. */
export const idJson = (...chain: readonly string[]): object => ({
  value: chain.at(-1),
  ...(chain.length > 1 && { parent: idJson(...chain.slice(0, -1)) }),
});

/** Resolves when the agent answers that it has recovered. */
export async function serving(agent: AgentProcess): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const answer = await fetch(`http://127.0.0.1:${agent.port}/state`).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the agent does not serve:\n${agent.log.slice(-2000)}`);
}

/** Calls of the operator API in JSON. */
export class OperatorClient {
  readonly url: string;

  constructor(port: number) {
    this.url = `http://127.0.0.1:${port}/api/v1`;
  }

  async call(type: string, more: object = {}): Promise<{ status: number; body: string }> {
    const answer = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ type, [type.toLowerCase()]: more }),
    });
    return { status: answer.status, body: await answer.text() };
  }

  /** A call about a container. */
  on(type: string, chain: readonly string[], more: object = {}): Promise<{ status: number; body: string }> {
    return this.call(type, { container_id: idJson(...chain), ...more });
  }

  launch(chain: readonly string[], value: string, more: object = {}): Promise<{ status: number; body: string }> {
    return this.on("LAUNCH_CONTAINER", chain, { command: { value }, ...more });
  }

  /** How a container ended. */
  async waited(chain: readonly string[]): Promise<object> {
    const { body } = await this.on("WAIT_CONTAINER", chain);
    return (JSON.parse(body) as { wait_container: object }).wait_container;
  }

  /** Ends a container, whatever has become of it: one that stands alone would outlive its agent. */
  async end(chain: readonly string[]): Promise<void> {
    await this.on("KILL_CONTAINER", chain);
    await this.on("WAIT_CONTAINER", chain);
  }
}
