import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { UserError } from "../../../base/errors.ts";
import { Call_Type } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { CommandInfoSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { encodeRecord } from "../../../mesos/recordio.ts";
import type { Session } from "../../model/session.ts";
import { negotiate } from "../operator/negotiate.ts";
import { callsOf, pumpInput } from "./input.ts";
import { outputAnswer } from "./output.ts";
import { shownCommand } from "./shown-command.ts";

const io = (process_io: object) =>
  encodeRecord(
    JSON.stringify({ type: "ATTACH_CONTAINER_INPUT", attach_container_input: { type: "PROCESS_IO", process_io } }),
  );
const data = (text: string) =>
  io({ type: "DATA", data: { type: "STDIN", data: Buffer.from(text).toString("base64") } });
const size = (rows: number, columns: number) =>
  io({ type: "CONTROL", control: { type: "TTY_INFO", tty_info: { window_size: { rows, columns } } } });
const heartbeat = io({ type: "CONTROL", control: { type: "HEARTBEAT", heartbeat: { interval: { nanoseconds: 1 } } } });

function session(hasTerminal: boolean) {
  const done: string[] = [];
  const fake: Session = {
    hasTerminal,
    attach: () => () => undefined,
    takeInput: () => () => void done.push("released"),
    write: async (bytes) => void done.push(`write ${Buffer.from(bytes)}`),
    endInput: () => void done.push("end"),
    resize: ({ rows, columns }) => void done.push(`resize ${rows} ${columns}`),
    kill: () => void done.push("killed"),
    ended: new Promise(() => undefined),
  };
  return { fake, done };
}
const pumped = async (hasTerminal: boolean, ...chunks: readonly Buffer[]) => {
  const { fake, done } = session(hasTerminal);
  const answer = await pumpInput(fake, callsOf(Readable.from(chunks), "application/json"));
  return { answer, done };
};

describe("the records of an input", () => {
  it("are written, resize the terminal and are signs of life", async () => {
    const { answer, done } = await pumped(true, data("ls\n"), size(50, 90), heartbeat, data(""));
    expect(answer).toMatchObject({ status: 200 });
    expect(done).toEqual(["write ls\n", "resize 50 90", "released"]);
  });

  it("may come in any pieces", async () => {
    const whole = Buffer.concat([data("abc"), data("def"), data("")]);
    const bytes = [...whole].map((byte) => Buffer.from([byte]));
    const { done } = await pumped(false, ...bytes);
    expect(done).toEqual(["write abc", "write def", "end", "released"]);
  });

  it.each([
    ["a window of pipes", size(1, 1), "the session has no terminal"],
    ["output", io({ type: "DATA", data: { type: "STDOUT", data: "" } }), "to be STDIN"],
    ["nothing", io({}), "to be DATA or CONTROL"],
    ["another call", encodeRecord('{"type":"GET_HEALTH"}'), "ATTACH_CONTAINER_INPUT"],
    ["no JSON", encodeRecord("{"), ""],
    ["no length", Buffer.from("x\n"), "not a decimal number"],
    ["too much", Buffer.from("99999999\n"), "exceeds the bound"],
    ["half a record", Buffer.from("10\nabc"), "ends within a record"],
  ])("that are %s are told so", async (_what, record, why) => {
    const { answer, done } = await pumped(false, data("first"), record);
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(why) });
    expect(done).toEqual(["write first", "released"]);
  });

  it("of a second client are refused", async () => {
    const { fake } = session(false);
    const busy = { ...fake, takeInput: () => undefined };
    const calls = callsOf(Readable.from([]), "application/json");
    expect(await pumpInput(busy, calls)).toMatchObject({ status: 409 });
  });

  it("of whatever bytes are calls, or a UserError", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 })), fc.boolean(), async (chunks, isFramed) => {
        const stream = Readable.from(chunks.map((bytes) => (isFramed ? encodeRecord(bytes) : Buffer.from(bytes))));
        try {
          for await (const call of callsOf(stream, "application/x-protobuf")) expect(call.$typeName).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

it("ends when whoever asked for it has gone while it was launched", () => {
  const { fake, done } = session(false);
  const json = "application/json";
  const negotiated = { request: json, response: json, isStreamedRequest: false, isStreamedResponse: true } as const;
  const options = { clock: systemClock, heartbeat: 30_000, negotiated, closed: () => fake.kill() };
  const answer = outputAnswer(fake, options);
  if (answer.kind === "open") answer.discarded?.();
  expect(done).toEqual(["killed"]);
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.destroy();
  if (answer.kind === "open") answer.opened(response);
  expect(done).toEqual(["killed", "killed"]);
});

describe("what is negotiated", () => {
  const [json, protobuf, recordio] = ["application/json", "application/x-protobuf", "application/recordio"];
  const of = (contentType?: string, accept?: string, messageContentType?: string, messageAccept?: string) =>
    negotiate({ contentType, accept, messageContentType, messageAccept });

  it("is records where the caller asks for them", () => {
    expect(of(json, recordio, undefined, protobuf)).toEqual({
      ...{ request: json, response: protobuf, isStreamedRequest: false, isStreamedResponse: true },
    });
    expect(of(recordio, undefined, json)).toMatchObject({ request: json, isStreamedRequest: true });
    expect(of(json)).toMatchObject({ response: json, isStreamedResponse: false });
  });

  it.each([
    [[undefined], 400],
    [["text/plain"], 415],
    [[recordio], 400],
    [[recordio, undefined, "text/plain"], 415],
    [[json, undefined, json], 415],
    [[json, "text/html"], 406],
    [[json, recordio, undefined, "text/html"], 406],
    [[json, json, undefined, json], 406],
  ])("%j is %d", (words, status) => {
    expect(of(...(words as [string | undefined]))).toMatchObject({ status });
  });

  it("calls are decoded as they are framed", async () => {
    const calls = callsOf(Readable.from([encodeRecord('{"type":"GET_HEALTH"}')]), "application/json");
    const { value } = await calls.next();
    expect(value).toMatchObject({ type: Call_Type.GET_HEALTH });
  });
});

describe("a command in the log", () => {
  const shown = (init: Parameters<typeof create<typeof CommandInfoSchema>>[1]) =>
    shownCommand(create(CommandInfoSchema, init));

  it("shows no secret", () => {
    const variables = [{ name: "KEY", value: "hidden" }];
    const text = shown({
      value: "mysql --password=hunter2 -u x --api-key 'a b' TOKEN: abc",
      environment: { variables },
    });
    expect(text).toBe("KEY=… mysql --password=***** -u x --api-key ***** TOKEN: *****");
    for (const secret of ["hidden", "hunter2", "a b", "abc"]) expect(text).not.toContain(secret);
  });

  it("shows its words, not without end", () => {
    expect(shown({ shell: false, value: "sh", arguments: ["sh", "-i"] })).toBe("sh -i");
    expect(shown({ value: "x".repeat(1000) }).length).toBe(501);
    expect(shownCommand(undefined)).toBe("nothing");
  });
});
