import { create } from "@bufbuild/protobuf";
import { nanosecondsOf } from "../../../base/duration.ts";
import { encode } from "../../../mesos/codec.ts";
import {
  ProcessIO_Control_Type,
  ProcessIO_Data_Type,
  ProcessIO_Type,
  ProcessIOSchema,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { encodeJson } from "../../../mesos/json.ts";
import { encodeRecord } from "../../../mesos/recordio.ts";
import type { Encoding } from "../operator/negotiate.ts";

type Init = Parameters<typeof create<typeof ProcessIOSchema>>[1];

function record(encoding: Encoding, init: Init): Buffer {
  const message = create(ProcessIOSchema, init);
  const isJson = encoding === "application/json";
  return encodeRecord(isJson ? encodeJson(ProcessIOSchema, message) : encode(ProcessIOSchema, message));
}

/** A piece of output as a record. */
export function outputRecord(encoding: Encoding, stream: "stdout" | "stderr", piece: Buffer): Buffer {
  const type = stream === "stdout" ? ProcessIO_Data_Type.STDOUT : ProcessIO_Data_Type.STDERR;
  return record(encoding, { type: ProcessIO_Type.DATA, data: { type, data: new Uint8Array(piece) } });
}

/** A sign of life; `interval`: milliseconds to the next one. */
export const heartbeatRecord = (encoding: Encoding, interval: number): Buffer =>
  record(encoding, {
    type: ProcessIO_Type.CONTROL,
    control: {
      type: ProcessIO_Control_Type.HEARTBEAT,
      heartbeat: { interval: { nanoseconds: nanosecondsOf(interval) } },
    },
  });
