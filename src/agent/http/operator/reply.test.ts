import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { agentView } from "../../../../test/support/agent-view.ts";
import type { Answer } from "../../../http/answer.ts";
import { answerPace } from "../../../http/paced-body.ts";
import { encode } from "../../../mesos/codec.ts";
import { Response_Type, ResponseSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { encodeJson } from "../../../mesos/json.ts";
import type { LongMessage } from "../../../mesos/long-message.ts";
import { containersMessage, stateMessage } from "./containers-and-tasks.ts";
import type { LongReply } from "./handler.ts";
import { longReply } from "./reply.ts";

/** The whole message, made at once. */
function whole({ schema, head, parts }: LongMessage): Message {
  const message = create(schema as DescMessage, head) as Message & Record<string, unknown>;
  for (const [name, part] of Object.entries(parts))
    message[name] =
      "element" in part ? Array.from({ length: part.length }, (_, index) => part.element(index)) : whole(part);
  return message;
}

const body = (answer: Answer): Buffer => (answer.kind === "body" ? answer.body : Buffer.of());

/** GET_STATE and GET_CONTAINERS of an agent with so many tasks of each kind. */
function replies(count: number): LongReply[] {
  const view = agentView({ tasks: count, completed: count, measured: count });
  const snapshot = view.snapshot();
  const [framework] = snapshot.frameworks;
  for (const [index, executor] of [...(framework?.executors.values() ?? [])].entries())
    for (const task of executor.tasks.values()) {
      if (index % 3 === 1) task.bucket = "queued";
      if (index % 5 === 1) task.task.state = TaskState.TASK_KILLING;
      // Half a surrogate pair: written with U+FFFD.
      if (index % 7 === 1) task.task.name = "\ud800x";
    }
  const statistics = { statistics: undefined, status: undefined };
  const usages = Array.from({ length: count }, (_, index) => ({
    ...{ frameworkId: "F", executorId: `e${index}`, executorName: "n", source: "s", containerId: `c${index}` },
    ...statistics,
  }));
  const others = count === 0 ? [] : [{ chain: ["c0", "inner"] as const, ...statistics }];
  return [
    { type: Response_Type.GET_STATE, long: { getState: stateMessage(snapshot, view.flags) } },
    { type: Response_Type.GET_CONTAINERS, long: { getContainers: containersMessage(usages, others) } },
  ];
}

it.each([0, 1, 20])("a long reply is what the whole response would be, with %i of each", async (count) => {
  for (const each of replies(count)) {
    const response = whole({
      schema: ResponseSchema,
      head: create(ResponseSchema, { type: each.type }),
      parts: each.long,
    });
    const text = body(await longReply("application/json", each)).toString();
    expect(text).toBe(encodeJson(ResponseSchema, response as never));
    const bytes = body(await longReply("application/x-protobuf", each));
    expect(bytes.equals(encode(ResponseSchema, response as never))).toBe(true);
  }
});

it.each(["application/json", "application/x-protobuf"] as const)(
  "one of thousands is made in many turns, as %s",
  async (encoded) => {
    const before = answerPace.turns;
    const [state] = replies(2000);
    if (state === undefined) throw new Error("there is one");
    expect(body(await longReply(encoded, state)).length).toBeGreaterThan(100_000);
    // 4,000 tasks and as many executors, 256 a turn.
    expect(answerPace.turns - before).toBeGreaterThan(8000 / 256 - 1);
  },
);
