import { Readable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { agentView } from "../../../../test/support/agent-view.ts";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { LoggingLevel } from "../../../base/logging-level.ts";
import type { HttpRequest } from "../../../http/request.ts";
import { encode } from "../../../mesos/codec.ts";
import { CallSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { encodeRecord } from "../../../mesos/recordio.ts";
import type { Session } from "../../model/session.ts";
import { AttachedFiles } from "../files/attached.ts";
import type { Encoding } from "../operator/negotiate.ts";
import { attachInput } from "./calls.ts";

/** ATTACH_CONTAINER_INPUT of clients that are broken, or would break the agent: streams that were valid once. */
const TEXTS = ["ls -l\n", "", "x".repeat(300), "\u{1f4a5}\n", "exit\n"];
const [CONTAINER_ID, PROCESS_IO, DATA, STDIN] = [1, 2, 1, 1];

/** The records of an input, and what they ask to be done. */
function records(encoding: Encoding, texts: readonly string[]): { bytes: Buffer; does: string }[] {
  const id = { value: "session", parent: { value: "root" } };
  const record = (init: object) => {
    const call = create(CallSchema, { type: 18, attachContainerInput: init } as never);
    if (encoding === "application/x-protobuf") return encodeRecord(encode(CallSchema, call));
    const { containerId, processIo } = init as { containerId?: object; processIo?: { data: { data: Uint8Array } } };
    const data = processIo && { type: "STDIN", data: Buffer.from(processIo.data.data).toString("base64") };
    const json = containerId
      ? { type: "CONTAINER_ID", container_id: containerId }
      : { type: "PROCESS_IO", process_io: { type: "DATA", data } };
    return encodeRecord(JSON.stringify({ type: "ATTACH_CONTAINER_INPUT", attach_container_input: json }));
  };
  const io = (text: string) => ({
    type: PROCESS_IO,
    processIo: { type: DATA, data: { type: STDIN, data: new TextEncoder().encode(text) } },
  });
  return [
    { bytes: record({ type: CONTAINER_ID, containerId: id }), does: "taken" },
    ...texts.map((text) => ({ bytes: record(io(text)), does: text === "" ? "end" : `write ${text}` })),
  ];
}

async function attach(encoding: Encoding, chunks: readonly Buffer[]) {
  const done: string[] = [];
  const session: Session = {
    hasTerminal: false,
    attach: () => () => undefined,
    takeInput: () => {
      done.push("taken");
      return () => void done.push("released");
    },
    write: async (bytes) => void done.push(`write ${Buffer.from(bytes)}`),
    endInput: () => void done.push("end"),
    resize: () => void done.push("resize"),
    kill: () => void done.push("killed"),
    ended: new Promise(() => undefined),
  };
  const view = agentView({ tasks: 0 });
  const sessions = {
    of: ([, id]: readonly string[]) => (id === "session" ? session : undefined),
    open: () => Promise.reject(),
  };
  const parts = {
    view: { ...view, containers: { ...view.containers, sessions: () => sessions } },
    files: new AttachedFiles(),
    logging: new LoggingLevel({ verbosity: 0 }, new TestClock()),
  };
  const request = { stream: () => Readable.from(chunks) } as unknown as HttpRequest;
  const negotiated = { request: encoding, response: encoding, isStreamedRequest: true, isStreamedResponse: false };
  const answer = await attachInput(parts, request, negotiated, {
    ...{ subject: undefined, peer: "127.0.0.1", mayAsk: () => undefined },
  });
  return { status: answer.kind === "text" ? answer.status : answer.kind, done };
}

/** Cuts bytes into pieces at these places. */
const pieces = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((one, other) => one - other), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
};

const encodings = fc.constantFrom<Encoding>("application/json", "application/x-protobuf");
const texts = fc.array(fc.constantFrom(...TEXTS), { maxLength: 6 });
const cuts = fc.array(fc.nat(10_000), { maxLength: 12 });

it("what is valid is done, in whatever pieces it comes", async () => {
  await fc.assert(
    fc.asyncProperty(encodings, texts, cuts, async (encoding, said, places) => {
      const all = records(encoding, said);
      const { status, done } = await attach(encoding, pieces(Buffer.concat(all.map(({ bytes }) => bytes)), places));
      expect([status, done]).toEqual([200, [...all.map(({ does }) => does), "released"]]);
    }),
    { numRuns: 300, seed: 18 },
  );
});

type Damage = (bytes: Buffer, at: number, byte: number) => Buffer;
const DAMAGES: readonly Damage[] = [
  (bytes, at, byte) => Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + 1)]),
  (bytes, at, byte) => Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), Buffer.from("99999999999999999999\n"), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), Buffer.from("-1\n0x5\n"), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes]),
];

it("what is damaged is answered, does nothing that was not said, and lets the input go", async () => {
  await fc.assert(
    fc.asyncProperty(
      ...([encodings, texts, cuts, fc.constantFrom(...DAMAGES), fc.nat(10_000), fc.nat(255)] as const),
      async (encoding, said, places, damage, where, byte) => {
        const all = records(encoding, said);
        const whole = Buffer.concat(all.map(({ bytes }) => bytes));
        const at = where % whole.length;
        const { status, done } = await attach(encoding, pieces(damage(whole, at, byte), places));
        expect([200, 400, 404, 415]).toContain(status);
        // Of what came before the damage all is done in its order, but for what came in the same piece as it.
        const ends = all.map((_record, index) =>
          all.slice(0, index + 1).reduce((sum, { bytes }) => sum + bytes.length, 0),
        );
        const before = all.filter((_record, index) => (ends[index] ?? 0) <= at).map(({ does }) => does);
        const did = done.filter((what) => what !== "released");
        expect(did.slice(0, before.length)).toEqual(before.slice(0, did.length));
        expect(done.filter((what) => what === "released")).toHaveLength(done.includes("taken") ? 1 : 0);
        if (done.length > 0) expect([done[0], done.at(-1)]).toEqual(["taken", "released"]);
        expect(done).not.toContain("killed");
      },
    ),
    { numRuns: 2_000, seed: 19 },
  );
});
