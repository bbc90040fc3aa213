import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { decode, enumName, MessageError } from "../mesos/codec.ts";
import { MOST_OBJECTS_OF_MASTER, wireProblem } from "../mesos/cost.ts";
import { type Call, Call_Type, Call_TypeSchema, CallSchema } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf, isUuid } from "../mesos/ids.ts";

const SUBSCRIBE_FIELD = 3;
const FORCE_FIELD = 2;

/** The fields of an encoded message, as they lie there. */
function* fieldsOf(bytes: Uint8Array): Generator<{ no: number; wire: WireType; data: Uint8Array; record: Uint8Array }> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wire] = reader.tag();
    const data = reader.skip(wire, no);
    yield { no, wire, data, record: bytes.subarray(start, reader.pos) };
  }
}

/**
 * v1 clients before 1.4 send `bool force = 2` in Subscribe, where later ones have `repeated string suppressed_roles = 2`:
 * only the wire type tells. Takes `force` out, for the newest subscription wins here anyway.
 */
function withoutForce(bytes: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  for (const { no, wire, record } of fieldsOf(bytes)) {
    if (no !== SUBSCRIBE_FIELD || wire !== WireType.LengthDelimited) {
      writer.raw(record);
      continue;
    }
    const reader = new BinaryReader(record);
    reader.tag();
    const kept = [...fieldsOf(reader.bytes())].filter((field) => field.no !== FORCE_FIELD || field.wire !== 0);
    writer.tag(no, wire).bytes(Buffer.concat(kept.map((field) => field.record)));
  }
  return writer.finish();
}

/** A call in protobuf. Throws a MessageError, or the wire reader's error for what is no protobuf. */
export function decodeCall(bytes: Uint8Array): Call {
  const problem = wireProblem(CallSchema, bytes, MOST_OBJECTS_OF_MASTER);
  if (problem !== undefined) throw new MessageError(CallSchema.typeName, problem);
  return decode(CallSchema, withoutForce(bytes));
}

/** The member that each type must come with. */
const MEMBERS: Partial<Record<Call_Type, keyof Call>> = {
  [Call_Type.SUBSCRIBE]: "subscribe",
  [Call_Type.ACCEPT]: "accept",
  [Call_Type.DECLINE]: "decline",
  [Call_Type.ACCEPT_INVERSE_OFFERS]: "acceptInverseOffers",
  [Call_Type.DECLINE_INVERSE_OFFERS]: "declineInverseOffers",
  [Call_Type.KILL]: "kill",
  [Call_Type.SHUTDOWN]: "shutdown",
  [Call_Type.ACKNOWLEDGE]: "acknowledge",
  [Call_Type.ACKNOWLEDGE_OPERATION_STATUS]: "acknowledgeOperationStatus",
  [Call_Type.RECONCILE]: "reconcile",
  [Call_Type.RECONCILE_OPERATIONS]: "reconcileOperations",
  [Call_Type.MESSAGE]: "message",
  [Call_Type.REQUEST]: "request",
  [Call_Type.UPDATE_FRAMEWORK]: "updateFramework",
};

/** What is wrong with the member that a call's type needs. */
function memberProblem(call: Call): string | undefined {
  const { type, acknowledge, acknowledgeOperationStatus: operation, updateFramework: update } = call;
  if (type === Call_Type.ACKNOWLEDGE && acknowledge !== undefined && !isUuid(acknowledge.uuid))
    return "'acknowledge.uuid' is not a 16-byte uuid";
  if (type === Call_Type.ACKNOWLEDGE_OPERATION_STATUS && operation !== undefined) {
    if (!isUuid(operation.uuid)) return "'acknowledge_operation_status.uuid' is not a 16-byte uuid";
    if (operation.agentId === undefined) return "Expecting 'agent_id' to be present";
  }
  if (type === Call_Type.UPDATE_FRAMEWORK && idOf(update?.frameworkInfo?.id) !== idOf(call.frameworkId))
    return "'framework_id' differs from 'update_framework.framework_info.id'";
  return undefined;
}

/** Why a call is refused with 400; undefined when it is well formed. */
export function callProblem(call: Call): string | undefined {
  if (!Object.hasOwn(call, "type")) return "Expecting 'type' to be present";
  const member = MEMBERS[call.type];
  const name = enumName(Call_TypeSchema, call.type).toLowerCase();
  if (member !== undefined && call[member] === undefined) return `Expecting '${name}' to be present`;
  if (call.type === Call_Type.SUBSCRIBE) {
    // An empty id is none.
    const id = idOf(call.subscribe?.frameworkInfo?.id);
    if (id !== idOf(call.frameworkId))
      return id === ""
        ? "'framework_id' is set but 'subscribe.framework_info.id' is not"
        : "'framework_id' differs from 'subscribe.framework_info.id'";
    return undefined;
  }
  if (call.frameworkId === undefined) return "Expecting 'framework_id' to be present";
  return memberProblem(call);
}
