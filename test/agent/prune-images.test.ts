import { afterEach, beforeEach, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest } from "../support/agent-under-test.ts";

/** PRUNE_IMAGES of an agent without an image store: a C++ agent answers 200 and does nothing, also to Docker's images. */
let test: AgentUnderTest;
beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const prune = async (call: object, type = "application/json") => {
  const headers = { "content-type": type };
  const body = JSON.stringify({ type: "PRUNE_IMAGES", ...call });
  const answer = await fetch(`http://127.0.0.1:${test.port}/api/v1`, { method: "POST", headers, body });
  return [answer.status, await answer.text()];
};

it("is answered, and nothing is asked of what runs containers", async () => {
  await test.running("one", TaskState.TASK_RUNNING);
  const before = [...test.machine.asked];
  const excluded_images = [{ type: "DOCKER", docker: { name: "mysql:latest" } }];
  for (const call of [{}, { prune_images: {} }, { prune_images: { excluded_images } }])
    expect(await prune(call)).toEqual([200, ""]);
  expect(test.machine.asked).toEqual(before);
});

it("with an image that is none is refused", async () => {
  const [status, body] = await prune({ prune_images: { excluded_images: [{ docker: { name: "x" } }] } });
  expect([status, body]).toEqual([400, expect.stringContaining("type")]);
});
