import { connect } from "node:net";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { parseUPID, type UPID } from "../../src/libprocess/upid.ts";

/** `id@ip:port`, as a UPID; throws when it is none. */
export function upid(text: string): UPID {
  const made = parseUPID(text);
  if (made === undefined) throw new Error(`'${text}' is no UPID`);
  return made;
}

/** Opens a connection to `slave(1)` (or another process), sends bytes, closes; resolves when the other side has closed. */
export function shoot(port: number, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    socket.end(bytes);
  });
}

/** A message by whoever it says that it is from: libprocess proves nothing. Resolves when it has been taken in. */
export async function sendAs<D extends DescMessage>(
  from: string,
  to: string,
  schema: D,
  message: MessageInitShape<D>,
  name: string = schema.typeName,
): Promise<void> {
  const target = upid(to);
  await shoot(target.port, encodeMessage(target, upid(from), name, toBinary(schema, create(schema, message))));
}
