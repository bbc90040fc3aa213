import { create, toBinary } from "@bufbuild/protobuf";
import { decode } from "../../../mesos/codec.ts";
import { type Call_LaunchContainer, Call_LaunchContainerSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import {
  TaskResourceLimitationSchema,
  type TaskState,
  type TaskStatus_Reason,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { chainOf, containerIdOf, type NestedOrder } from "../../model/nested.ts";

/** What a restarted agent must know of a container that the operator API launched, besides what its shim wrote. */
export interface NestedRecord {
  readonly order: NestedOrder;
  readonly sandbox: string;
  readonly within: string;
  readonly user: string | undefined;
  readonly groupsOf: string;
}

const asMessage = ({ chain, command, container, resources, limits }: NestedOrder): Call_LaunchContainer =>
  create(Call_LaunchContainerSchema, {
    containerId: containerIdOf(chain),
    ...(command && { command }),
    ...(container && { container }),
    resources: [...resources],
    limits: { ...limits },
  });

function orderOf(call: Call_LaunchContainer): NestedOrder {
  const { containerId, command, container, resources, limits } = call;
  if (containerId === undefined) throw new Error("a launch without a container id");
  return { chain: chainOf(containerId), command, container, resources, limits };
}

/** One line of JSON; the launch is in it as the message that it came as. It has the command's environment: it is secret. */
export function formatRecord({ order, ...rest }: NestedRecord): string {
  const call = Buffer.from(toBinary(Call_LaunchContainerSchema, asMessage(order))).toString("base64");
  return `${JSON.stringify({ call, ...rest })}\n`;
}

/** undefined for what is damaged: a container that nobody can say anything of. */
export function parseRecord(text: string): NestedRecord | undefined {
  try {
    const { call, sandbox, within, user, groupsOf } = JSON.parse(text) as Record<string, unknown>;
    if (typeof call !== "string" || typeof sandbox !== "string" || typeof within !== "string") return undefined;
    if (typeof groupsOf !== "string" || (user !== undefined && typeof user !== "string")) return undefined;
    const order = orderOf(decode(Call_LaunchContainerSchema, Buffer.from(call, "base64")));
    return { order, sandbox, within, user, groupsOf };
  } catch {
    return undefined;
  }
}

/** What a wait status does not say of an end; undefined when that is all there is. */
export function formatEnd({ state, reason, message, limitation = [] }: ContainerTermination): string | undefined {
  if (state === undefined && reason === undefined && message === undefined && limitation.length === 0) return undefined;
  const limited = create(TaskResourceLimitationSchema, { resources: [...limitation] });
  const resources = Buffer.from(toBinary(TaskResourceLimitationSchema, limited)).toString("base64");
  return `${JSON.stringify({ state, reason, message, ...(limitation.length > 0 && { limitation: resources }) })}\n`;
}

export function parseEnd(text: string): Omit<ContainerTermination, "status"> {
  try {
    const { state, reason, message, limitation } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof state === "number" && { state: state as TaskState }),
      ...(typeof reason === "number" && { reason: reason as TaskStatus_Reason }),
      ...(typeof message === "string" && { message }),
      ...(typeof limitation === "string" && {
        limitation: decode(TaskResourceLimitationSchema, Buffer.from(limitation, "base64")).resources,
      }),
    };
  } catch {
    return {};
  }
}
