import type { Readable } from "node:stream";
import { messageOf, UserError } from "../../../base/errors.ts";
import { type Answer, text } from "../../../http/answer.ts";
import { decodeForeign, has } from "../../../mesos/codec.ts";
import { MOST_OBJECTS } from "../../../mesos/cost.ts";
import {
  type Call,
  type Call_AttachContainerInput,
  Call_AttachContainerInput_Type,
  Call_Type,
  CallSchema,
  ProcessIO_Control_Type,
  ProcessIO_Data_Type,
  ProcessIO_Type,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { decodeForeignJson } from "../../../mesos/json.ts";
import { RecordDecoder } from "../../../mesos/recordio.ts";
import type { InputAttachment } from "../../model/session.ts";
import type { Encoding } from "../operator/negotiate.ts";

/** Bytes of one record: clients send what a keyboard or a pipe gave them. */
const LARGEST_RECORD = 1024 * 1024;

/** The calls of a streamed request, each when it is there. Throws a UserError for what is none. */
export async function* callsOf(stream: Readable, encoding: Encoding): AsyncGenerator<Call, void, void> {
  const decoder = new RecordDecoder(LARGEST_RECORD);
  // Whoever answers before the end still needs the connection.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (const record of attempt(() => decoder.push(chunk))) yield attempt(() => decodeCall(encoding, record));
  }
  if (!decoder.complete) throw new UserError("the stream ends within a record");
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new UserError(messageOf(error));
  }
}

const decodeCall = (encoding: Encoding, record: Uint8Array): Call =>
  encoding === "application/x-protobuf"
    ? decodeForeign(CallSchema, record, MOST_OBJECTS)
    : decodeForeignJson(CallSchema, Buffer.from(record), MOST_OBJECTS);

/** The input's part of a call. Throws a UserError for another call. */
export function inputOf(call: Call): Call_AttachContainerInput {
  if (!has(call, "type")) throw new UserError("Expecting 'type' to be present");
  if (call.type !== Call_Type.ATTACH_CONTAINER_INPUT)
    throw new UserError("Expecting every record to be an ATTACH_CONTAINER_INPUT");
  const { attachContainerInput: input } = call;
  if (input === undefined) throw new UserError("Expecting 'attach_container_input' to be present");
  if (!has(input, "type")) throw new UserError("Expecting 'attach_container_input.type' to be present");
  return input;
}

type Writing = Omit<InputAttachment, "leave">;

/** Does what one record after the first says. Throws a UserError. */
async function take(session: Writing, input: Call_AttachContainerInput): Promise<void> {
  const { processIo: io } = input;
  if (input.type !== Call_AttachContainerInput_Type.PROCESS_IO)
    throw new UserError("Expecting 'attach_container_input.type' to be PROCESS_IO");
  if (io === undefined) throw new UserError("Expecting 'attach_container_input.process_io' to be present");
  if (io.type === ProcessIO_Type.DATA) {
    if (io.data?.type !== ProcessIO_Data_Type.STDIN)
      throw new UserError("Expecting 'process_io.data.type' to be STDIN");
    // With a terminal the end of the input is a character of it.
    if (io.data.data.length === 0) return session.hasTerminal ? undefined : session.endInput();
    return await session.write(io.data.data);
  }
  if (io.type !== ProcessIO_Type.CONTROL) throw new UserError("Expecting 'process_io.type' to be DATA or CONTROL");
  if (io.control?.type === ProcessIO_Control_Type.HEARTBEAT) return;
  if (io.control?.type !== ProcessIO_Control_Type.TTY_INFO)
    throw new UserError("Expecting 'process_io.control.type' to be TTY_INFO or HEARTBEAT");
  const size = io.control.ttyInfo?.windowSize;
  if (size === undefined) throw new UserError("Expecting 'process_io.control.tty_info.window_size' to be present");
  if (!session.hasTerminal) throw new UserError("Unable to set the window size: the session has no terminal");
  session.resize({ rows: size.rows, columns: size.columns });
}

async function pump(session: Writing, calls: AsyncGenerator<Call, void, void>): Promise<Answer> {
  try {
    for await (const call of calls) await take(session, inputOf(call));
    return text(200, "");
  } catch (error) {
    if (error instanceof UserError) return text(400, error.message);
    // The client is gone: the session's input stays as it is, for who comes next.
    return text(400, messageOf(error));
  }
}

/** Writes what the records say until they or the session end. `calls`: after the first. */
export async function pumpInput(session: Writing, calls: AsyncGenerator<Call, void, void>): Promise<Answer> {
  const release = session.takeInput();
  if (release === undefined) return text(409, "Multiple input connections are not allowed");
  try {
    return await Promise.race([pump(session, calls), session.ended.then(() => text(200, ""))]);
  } finally {
    release();
  }
}
