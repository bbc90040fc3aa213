import { randomUUID } from "node:crypto";
import { UserError } from "../base/errors.ts";
import type { HttpPeer } from "../client/peer.ts";
import { type ContainerChain, containerIdOf } from "../mesos/container-chain.ts";
import { Call_Type } from "../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { ContainerInfo_Type } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Conversation, windowOf } from "./conversation.ts";
import { exitOf } from "./exit-code.ts";
import { type Call, UsageError } from "./parse.ts";
import { placeOf } from "./place.ts";
import { Reach } from "./reach.ts";
import { SessionOutput } from "./session.ts";
import type { Shell } from "./shell.ts";
import type { TaskRow } from "./task-rows.ts";

/** The container of a task that something can be run in. Throws a UserError. */
export function containerOf({ id, state, isOver, container }: TaskRow): ContainerChain {
  if (isOver)
    throw new UserError(`task '${id}' is not running any more: its last state is ${state}`, `mesos-slave logs ${id}`);
  if (container === undefined)
    throw new UserError(`task '${id}' has no container yet: it is ${state}`, "try again when it runs");
  return container;
}

interface Wanted {
  readonly chain: ContainerChain;
  readonly command: readonly string[];
  readonly hasTerminal: boolean;
}

/** LAUNCH_NESTED_CONTAINER_SESSION, as ClusterD's command line sends it. */
async function launch(agent: HttpPeer, shell: Shell, { chain, command, hasTerminal }: Wanted): Promise<SessionOutput> {
  const [value = ""] = command;
  const term = shell.environment["TERM"];
  const size = windowOf(shell);
  return await SessionOutput.open(agent, shell.clock, {
    type: Call_Type.LAUNCH_NESTED_CONTAINER_SESSION,
    launchNestedContainerSession: {
      containerId: containerIdOf(chain),
      command: {
        ...{ shell: false, value, arguments: [...command] },
        ...(hasTerminal && term && { environment: { variables: [{ name: "TERM", value: term }] } }),
      },
      ...(hasTerminal && {
        container: { type: ContainerInfo_Type.MESOS, ttyInfo: { ...(size && { windowSize: size }) } },
      }),
    },
  });
}

/** `exec` */
export async function exec({ values, operands, command }: Call<"exec">, shell: Shell): Promise<number> {
  const { interactive, tty } = values;
  if (interactive && tty && !shell.input.isTTY)
    throw new UsageError("what is to be passed on is no terminal", "leave -t out, or -i");
  const reach = new Reach(values, shell);
  const { agent, task } = await placeOf(reach, operands[0] ?? "", values.framework);
  const chain: ContainerChain = [...containerOf(task), randomUUID()];
  const output = await launch(agent, shell, { chain, command, hasTerminal: tty });
  const conversation = new Conversation({
    ...{ peer: agent, shell, chain, output, isRaw: interactive && tty },
    input: interactive ? "passed" : tty ? "none" : "ended",
  });
  const end = await conversation.run();
  const code = typeof end === "number" ? 128 + end : await exitOf(agent, chain);
  await reach.close();
  return code;
}
