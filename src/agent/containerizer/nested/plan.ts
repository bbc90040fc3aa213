import { create } from "@bufbuild/protobuf";
import { UserError } from "../../../base/errors.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  type ContainerInfo,
  ContainerInfo_Type,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../../mesos/secrets.ts";
import type { ContainerSpec } from "../../model/container.ts";
import { DEFAULT_PATH } from "../../model/default-path.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { SandboxPlace } from "../../model/held/sandbox.ts";
import { type ContainerChain, keyOf, type NestedOrder } from "../../model/nested.ts";
import { checkCommand } from "../mesos/request.ts";
import { unsupported } from "../mesos/volumes.ts";
import type { NestedRecord } from "./record.ts";
import type { ContainerNode } from "./tree.ts";

/** Folder of a sandbox in which those of the containers within it lie. */
const WITHIN = "containers";

/** `<sandbox>/containers/<child>/containers/<grandchild>` */
function nestedPlace(root: SandboxPlace, [, ...below]: ContainerChain): { sandbox: string; within: string } {
  const sandbox = [root.sandbox, ...below.flatMap((id) => [WITHIN, id])].join("/");
  return { sandbox, within: root.sandbox };
}

/** Whether a nested container runs in its parent's control groups: unless it says otherwise. */
const sharesGroups = (container: ContainerInfo | undefined): boolean => container?.linuxInfo?.shareCgroups ?? true;

/** Who a container runs as: the user of its command where users are switched, else its parent's; undefined: the agent's own. */
export function userOf(command: CommandInfo, parent: ContainerNode | undefined, switches: boolean): string | undefined {
  return (switches && command.user ? command.user : undefined) ?? parent?.user;
}

/** The command to run, of a kind that can be. Throws a TaskFailure. */
function commandOf({ command, container }: Pick<NestedOrder, "command" | "container">): CommandInfo {
  if (container !== undefined && container.type !== ContainerInfo_Type.MESOS)
    throw TaskFailure.launch("The provided ContainerInfo is not supported");
  if (command === undefined) throw TaskFailure.launch("The container has no command");
  return command;
}

/** What a session's command and container ask for that nobody gives them; undefined: nothing. */
function notOfSessions(command: CommandInfo, container: ContainerInfo | undefined): string | undefined {
  if (command.uris.length > 0) return "URIs, as nothing is fetched for them";
  if ((container?.volumes.length ?? 0) > 0) return "volumes of their own";
  if (container?.rlimitInfo !== undefined) return "resource limits of their own";
  return unsupported(container);
}

/** The command of a session, which shares everything with the container that it is in. Throws a TaskFailure. */
export function sessionCommandOf(order: Pick<NestedOrder, "command" | "container">): CommandInfo {
  const command = commandOf(order);
  checkCommand(command);
  const lacking = notOfSessions(command, order.container);
  if (lacking !== undefined) throw TaskFailure.launch(`Sessions cannot have ${lacking}`);
  return command;
}

/** What is remembered of a launch. `root` and `parent`: undefined for a container that stands alone. */
export function recordOf(
  order: NestedOrder,
  root: ContainerNode | undefined,
  parent: ContainerNode | undefined,
  { workDir, switchesUser }: { readonly workDir: string; readonly switchesUser: boolean },
): NestedRecord {
  const command = commandOf(order);
  const place =
    root === undefined
      ? { sandbox: `${workDir}/${WITHIN}/${order.chain[0]}`, within: `${workDir}/${WITHIN}/${order.chain[0]}` }
      : nestedPlace(root.place, order.chain);
  const own = parent === undefined || !sharesGroups(order.container);
  return {
    order,
    ...place,
    user: userOf(command, parent, switchesUser),
    groupsOf: own ? keyOf(order.chain) : parent.groupsOf,
  };
}

/** What is known of a container that a C++ agent launched within `parent`: where it is. Its command is known to who launched it. */
export function leftRecordOf(chain: ContainerChain, root: ContainerNode, parent: ContainerNode): NestedRecord {
  const order = { chain, command: create(CommandInfoSchema), container: undefined, resources: [], limits: {} };
  return { order, ...nestedPlace(root.place, chain), user: parent.user, groupsOf: parent.groupsOf };
}

const NO_FRAMEWORK = create(FrameworkInfoSchema, { user: "", name: "" });
const NO_EXECUTOR = create(ExecutorInfoSchema);

/** The container of a record, as the processes' containerizer starts it or finds it again. */
export function specOf(
  { order, sandbox, within, user, groupsOf }: NestedRecord,
  parent: ContainerNode | undefined,
): Omit<ContainerSpec, "environment"> {
  const key = keyOf(order.chain);
  return {
    containerId: key,
    framework: NO_FRAMEWORK,
    executor: NO_EXECUTOR,
    task: undefined,
    command: commandOf(order),
    container: order.container,
    sandbox,
    ...(within !== sandbox && { within }),
    ...(parent && { parentSandbox: parent.place.sandbox }),
    user,
    resources: order.resources,
    limits: order.limits,
    checkpoint: true,
    ...(groupsOf !== key && { sharesGroupsOf: groupsOf }),
  };
}

/** Nothing of the agent's or the executor's environment, as in Mesos: where its sandbox is, and what its command says. */
export function environmentOf(command: CommandInfo, sandbox: string): Record<string, string> {
  try {
    return { PATH: DEFAULT_PATH, MESOS_SANDBOX: sandbox, ...variablesOf(command.environment) };
  } catch (error) {
    if (error instanceof UserError) throw TaskFailure.launch(error.text, { cause: error });
    throw error;
  }
}
