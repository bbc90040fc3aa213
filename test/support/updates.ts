import { create } from "@bufbuild/protobuf";
import { readRecords } from "../../src/agent/model/record-file.ts";
import { decode } from "../../src/mesos/codec.ts";
import {
  type StatusUpdate,
  StatusUpdateRecord_Type,
  StatusUpdateRecordSchema,
  StatusUpdateSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState, type TaskStatus } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { stateName } from "../../src/mesos/states.ts";

/** Sixteen bytes that are `number`. */
export function uuidOf(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, number);
  return bytes;
}

/** An update of task `task` of framework `framework` whose uuid is the number. */
export function updateOf(
  number: number,
  state: TaskState = TaskState.TASK_RUNNING,
  { task = "task", framework = "framework" } = {},
): StatusUpdate {
  return create(StatusUpdateSchema, {
    frameworkId: { value: framework },
    timestamp: number,
    uuid: uuidOf(number),
    status: { taskId: { value: task }, state, uuid: uuidOf(number), agentId: { value: "agent" } },
  });
}

/** What an update file holds: `+1` an update, `-1` its acknowledgement, `!` something unreadable. */
export function describeRecords(data: Buffer | undefined): string {
  if (data === undefined) return "";
  const { records, rest } = readRecords(data);
  const words = records.map((bytes) => {
    const record = decode(StatusUpdateRecordSchema, bytes);
    const uuid =
      record.type === StatusUpdateRecord_Type.ACK ? record.uuid : (record.update?.uuid ?? new Uint8Array(16));
    const number = new DataView(uuid.buffer, uuid.byteOffset).getUint32(12);
    return record.type === StatusUpdateRecord_Type.ACK ? `-${number}` : `+${number}`;
  });
  return [...words, ...(rest === undefined ? [] : ["!"])].join(" ");
}

const uuidText = ({ uuid }: Pick<TaskStatus, "uuid">): string => Buffer.from(uuid).toString("hex");

/** All statuses of a task in words, for the message of an assertion. */
export const storyOf = (id: string, statuses: readonly TaskStatus[]): string =>
  `${id}: ${statuses.map((status) => `${stateName(status.state)}(${uuidText(status).slice(0, 4)})`).join(" ")}`;

/**
 * The different updates among the statuses of one task that want to be acknowledged, in order. One that is not
 * acknowledged yet may come again; one that comes again after a later one was sent although it was acknowledged: that throws.
 */
export function updatesInOrder(id: string, statuses: readonly TaskStatus[]): TaskStatus[] {
  const different: TaskStatus[] = [];
  for (const status of statuses) {
    const at = different.findIndex((one) => uuidText(one) === uuidText(status));
    if (at === -1) different.push(status);
    else if (at < different.length - 1)
      throw new Error(`sent again after its acknowledgement: ${storyOf(id, statuses)}`);
  }
  return different;
}
