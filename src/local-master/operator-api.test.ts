import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Call_Type, CallSchema } from "../mesos/gen/mesos/v1/master/master_pb.ts";
import { operatorCallProblem } from "./operator-api.ts";

test("a call is refused by the name of what it lacks", () => {
  const problem = (type: Call_Type) => operatorCallProblem(create(CallSchema, { type }));
  expect(operatorCallProblem(create(CallSchema))).toBe("Expecting 'type' to be present");
  expect(problem(Call_Type.GET_METRICS)).toBe("Expecting 'get_metrics' to be present");
  expect(problem(Call_Type.MARK_AGENT_GONE)).toBe("Expecting 'mark_agent_gone' to be present");
  expect(problem(Call_Type.RESERVE_RESOURCES)).toBe("Expecting 'reserve_resources' to be present");
  expect(problem(Call_Type.GET_HEALTH)).toBeUndefined();
  expect(
    operatorCallProblem(create(CallSchema, { type: Call_Type.TEARDOWN, teardown: { frameworkId: { value: "f" } } })),
  ).toBeUndefined();
});
