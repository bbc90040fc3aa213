import { Readable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { agentView } from "../../../../test/support/agent-view.ts";
import type { HttpRequest } from "../../../http/request.ts";
import { Call_Type, CallSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { ContainerStatusSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { encodeRecord } from "../../../mesos/recordio.ts";
import { TaskFailure, Unavailable } from "../../model/failure.ts";
import { containerIdOf } from "../../model/nested.ts";
import type { Sessions } from "../../model/session.ts";
import type { OperatorParts } from "../operator/handler.ts";
import { attachInput, sessionCall } from "./calls.ts";

const json = "application/json";
const negotiated = { request: json, response: json, isStreamedRequest: false, isStreamedResponse: true } as const;
const who = { subject: undefined, peer: undefined, mayAsk: () => undefined };

/** An agent with one executor, whose container `root` has what is given. */
function parts(sessions: Partial<Sessions> | undefined): OperatorParts {
  const view = agentView({ tasks: 1 });
  const [framework] = view.snapshot().frameworks;
  const executor = [...(framework?.executors.values() ?? [])][0];
  if (framework === undefined || executor === undefined) throw new Error("there is one");
  const all = { of: () => undefined, open: () => Promise.reject(new Error("nobody opens one")), ...sessions };
  const ownerOf = ([root]: readonly string[]) => (root === "root" ? { framework, executor } : undefined);
  const status = async ([, ...below]: readonly string[]) =>
    below[0] === "within" ? create(ContainerStatusSchema) : undefined;
  const kept = () => ({ status });
  const containers = { ...view.containers, ownerOf, kept, sessions: () => sessions && all };
  return { view: { ...view, containers } } as unknown as OperatorParts;
}

const output = (sessions: Partial<Sessions> | undefined, ...chain: readonly [string, ...string[]]) =>
  sessionCall(
    parts(sessions),
    create(CallSchema, {
      type: Call_Type.ATTACH_CONTAINER_OUTPUT,
      attachContainerOutput: { containerId: containerIdOf(chain) },
    }),
    negotiated,
    who,
  );
function input(sessions: Partial<Sessions>, ...records: readonly object[]) {
  const all = [{ type: "CONTAINER_ID", container_id: { value: "root" } }, ...records];
  const calls = all.map((attach_container_input) => ({ type: "ATTACH_CONTAINER_INPUT", attach_container_input }));
  const stream = Readable.from(calls.map((call) => encodeRecord(JSON.stringify(call))));
  return attachInput(parts(sessions), { stream: () => stream } as unknown as HttpRequest, negotiated, who);
}

it("a container that has nothing to attach to is told in the words of Mesos; one that is not there is not found", async () => {
  const why = { status: 500, text: expect.stringContaining("I/O switchboard server was disabled for this container") };
  expect(await output({}, "root")).toMatchObject(why);
  expect(await output({ attachOutput: async () => undefined }, "root")).toMatchObject(why);
  expect(await input({})).toMatchObject(why);
  expect(await output({}, "root", "within")).toMatchObject(why);
  expect(await output({}, "root", "other")).toMatchObject({ status: 404 });
  expect(await output({}, "other")).toMatchObject({ status: 404 });
  expect(await output(undefined, "root")).toMatchObject(why);
});

it("one that cannot be reached now is told so", async () => {
  const failing = (error: Error) => ({ attachOutput: () => Promise.reject(error) });
  expect(await output(failing(new Unavailable("Docker is away")), "root")).toMatchObject({
    ...{ status: 503, text: "Docker is away\n" },
  });
  expect(await output(failing(TaskFailure.launch("it is paused")), "root")).toMatchObject({
    ...{ status: 500, text: "it is paused\n" },
  });
});

it("what a task says is let go when its reader goes, before it began, too", async () => {
  let left = 0;
  const attachment = { attach: () => () => undefined, leave: () => void left++ };
  const answer = await output({ attachOutput: async () => attachment }, "root");
  if (answer?.kind !== "open") throw new Error("it is a stream");
  answer.discarded?.();
  expect(left).toBe(1);
});

it("what a task reads is let go when the input has ended", async () => {
  const done: string[] = [];
  const attachment = {
    hasTerminal: true,
    takeInput: () => () => void done.push("released"),
    write: async (bytes: Uint8Array) => void done.push(`write ${Buffer.from(bytes)}`),
    endInput: () => void done.push("end"),
    resize: () => undefined,
    ended: new Promise<never>(() => undefined),
    leave: () => void done.push("left"),
  };
  const data = { type: "STDIN", data: Buffer.from("ls").toString("base64") };
  const typed = { type: "PROCESS_IO", process_io: { type: "DATA", data } };
  expect(await input({ attachInput: async () => attachment }, typed)).toMatchObject({ status: 200 });
  expect(done).toEqual(["write ls", "released", "left"]);
});
