import { sleep } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { PeerRefusal } from "../client/peer.ts";
import { containerIdOf } from "../mesos/container-chain.ts";
import { Call_Type } from "../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { Conversation } from "./conversation.ts";
import { containerOf } from "./exec.ts";
import { exitOf } from "./exit-code.ts";
import type { Call } from "./parse.ts";
import { placeOf } from "./place.ts";
import { Reach } from "./reach.ts";
import { SessionOutput } from "./session.ts";
import { type Shell, say } from "./shell.ts";

/** Milliseconds from the end of the output to that of the container: an executor may stay a moment. */
const LONGEST_END = 5_000;

/** `attach` */
export async function attach({ values, operands }: Call<"attach">, shell: Shell): Promise<number> {
  const reach = new Reach(values, shell);
  const { agent, task } = await placeOf(reach, operands[0] ?? "", values.framework);
  const chain = containerOf(task);
  const asked = {
    type: Call_Type.ATTACH_CONTAINER_OUTPUT,
    attachContainerOutput: { containerId: containerIdOf(chain) },
  };
  const output = await SessionOutput.open(agent, shell.clock, asked).catch((error: unknown) => {
    if (!(error instanceof PeerRefusal) || ![404, 500, 501].includes(error.status)) throw error;
    throw new UserError(
      `task '${task.id}' has nothing to attach to: ${error.message}`,
      `see what it writes with mesos-slave logs -f ${task.id}, or look into it with mesos-slave exec -it ${task.id} -- sh`,
    );
  });
  const isRaw = values.interactive && task.hasTerminal && shell.input.isTTY === true;
  const conversation = new Conversation({
    ...{ peer: agent, shell, chain, output, isRaw, isDetachable: values.interactive && shell.input.isTTY === true },
    input: values.interactive ? "passed" : "none",
  });
  const end = await conversation.run();
  // As far as the agent tells it of a container that is a task's own.
  const late = (): Promise<number> => sleep(shell.clock, LONGEST_END).then(() => 0);
  const code = end === "over" ? await Promise.race([exitOf(agent, chain).catch(() => 0), late()]) : 0;
  await reach.close();
  if (end === "detached") await say(shell.errors, `\nDetached from task '${task.id}', which runs on\n`);
  return typeof end === "number" ? 128 + end : code;
}
