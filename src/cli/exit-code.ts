import { UserError } from "../base/errors.ts";
import type { HttpPeer } from "../client/peer.ts";
import { type ContainerChain, chainText } from "../mesos/container-chain.ts";

/** The exit code that a wait status is to a shell. */
export const exitCodeOf = (status: number): number =>
  (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);

/** The exit code of a container's process, once it has ended. Throws a UserError. */
export async function exitOf(agent: HttpPeer, chain: ContainerChain): Promise<number> {
  const [root, ...below] = chain;
  const id = below.reduce<object>((parent, value) => ({ value, parent }), { value: root });
  const reply = await agent.call({ type: "WAIT_CONTAINER", wait_container: { container_id: id } }, true);
  if (reply.status !== 200) throw agent.refusal("WAIT_CONTAINER", reply);
  const { wait_container: end } = JSON.parse(reply.body.toString("utf8")) as {
    wait_container?: { exit_status?: number; message?: string };
  };
  if (end?.exit_status !== undefined) return exitCodeOf(end.exit_status);
  throw new UserError(
    `how container ${chainText(chain)} ended is not known: ${end?.message ?? "the agent does not say"}`,
  );
}
