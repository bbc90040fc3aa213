import { sleep } from "../base/clock.ts";
import type { HttpPeer } from "../client/peer.ts";
import { type Call, UsageError } from "./parse.ts";
import { addressOfAgent, findAgent } from "./place.ts";
import { Reach } from "./reach.ts";
import { endingSignal, type Shell, say } from "./shell.ts";
import { rowsOfAgent } from "./task-rows.ts";
import { containersPage, type Usage, usageTable } from "./usage-table.ts";

/** The agent that `top` is about. Throws a UserError. */
async function agentOf(reach: Reach, wanted: string | undefined): Promise<HttpPeer> {
  if (wanted === undefined && !reach.hasMaster) return await reach.agent();
  if (wanted === undefined)
    throw new UsageError("top shows one agent", "say which of the master's: top AGENT --master=…");
  if (!reach.hasMaster)
    throw new UsageError(`'${wanted}' is found through a master`, "give --master=…, or --agent=host:port instead");
  return await reach.agentAt(addressOfAgent(await findAgent(await reach.master(), wanted)));
}

const measured = async (agent: HttpPeer): Promise<Usage[]> =>
  await agent.read("/containers?show_nested=true&show_standalone=true", (page) => containersPage.parse(page));

const CLEAR = "\x1b[H\x1b[2J\x1b[3J";

/** `top` */
export async function top({ values, operands }: Call<"top">, shell: Shell): Promise<number> {
  const { clock, output } = shell;
  const reach = new Reach(values, shell);
  const ending = endingSignal(shell);
  const agent = await agentOf(reach, operands[0]);
  let before = await measured(agent);
  do {
    await sleep(clock, values.interval, ending).catch(() => undefined);
    if (ending.aborted) break;
    const [now, rows] = await Promise.all([measured(agent), agent.read("/state", rowsOfAgent)]);
    const text = usageTable(before, now, rows);
    const head = `${agent.address}, ${now.length} containers, CPU over ${values.interval / 1000} s. Ctrl-C ends\n\n`;
    await say(output, output.isTTY ? CLEAR + head + text : text);
    before = now;
  } while (output.isTTY);
  await reach.close();
  return ending.aborted && !output.isTTY ? 128 + Number(ending.reason) : 0;
}
