import { UserError } from "../base/errors.ts";
import { PeerRefusal } from "../client/peer.ts";
import { containerIdOf } from "../mesos/container-chain.ts";
import { Call_Type } from "../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { Conversation } from "./conversation.ts";
import { containerOf } from "./exec.ts";
import type { Call } from "./parse.ts";
import { placeOf } from "./place.ts";
import { Reach } from "./reach.ts";
import { SessionOutput } from "./session.ts";
import { type Shell, say } from "./shell.ts";

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
  await reach.close();
  if (end === "detached") await say(shell.errors, `\nDetached from task '${task.id}', which runs on\n`);
  return typeof end === "number" ? 128 + end : 0;
}
