import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReconcileOperationsMessageSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { type Operation, OperationSchema, OperationState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "../../mesos/ids.ts";
import { reconciliation } from "./reconciliation.ts";

const known: Operation = create(OperationSchema, {
  frameworkId: { value: "f" },
  uuid: { value: newUuid() },
  info: { type: 3, id: { value: "mine" } },
  latestStatus: { state: OperationState.OPERATION_FINISHED, uuid: { value: newUuid() } },
});
const uuid = { value: known.uuid?.value ?? new Uint8Array() };
const stranger = { value: newUuid() };
type Init = Omit<MessageInitShape<typeof ReconcileOperationsMessageSchema>, "$typeName" | "$unknown">;
const ask = (init: Init) => reconciliation(create(ReconcileOperationsMessageSchema, init), [known], "agent");

describe("reconciliation of operations", () => {
  it("tells the master that what never arrived was dropped, and says nothing of what is known", () => {
    const answers = ask({
      operations: [
        { operationUuid: uuid },
        { operationUuid: stranger },
        { operationUuid: stranger, resourceProviderId: { value: "csi" } },
      ],
    });
    expect(answers.map(({ status }) => status?.state)).toEqual([
      OperationState.OPERATION_DROPPED,
      OperationState.OPERATION_DROPPED,
    ]);
    for (const { status, agentId, operationUuid } of answers) {
      expect(status?.uuid).toBeUndefined();
      expect(agentId?.value).toBe("agent");
      expect(operationUuid?.value).toEqual(stranger.value);
    }
    expect(answers[1]?.status?.resourceProviderId?.value).toBe("csi");
  });

  it("tells a framework the latest status, by uuid or by its own id, with nothing to acknowledge", () => {
    const answers = ask({
      frameworkId: { value: "f" },
      operations: [
        { operationUuid: uuid },
        { operationId: { value: "mine" } },
        { operationId: { value: "other" } },
        { operationId: { value: "other" }, resourceProviderId: { value: "csi" } },
      ],
    });
    const { OPERATION_FINISHED, OPERATION_UNKNOWN } = OperationState;
    expect(answers.map(({ status }) => status?.state)).toEqual([
      OPERATION_FINISHED,
      OPERATION_FINISHED,
      OPERATION_UNKNOWN,
    ]);
    for (const { status, frameworkId } of answers) {
      expect(status?.uuid).toBeUndefined();
      expect(frameworkId?.value).toBe("f");
    }
    expect(answers[1]?.operationUuid?.value).toEqual(uuid.value);
    expect(known.latestStatus?.uuid).toBeDefined();
  });

  it("shows one framework nothing of another one's", () => {
    expect(ask({ frameworkId: { value: "g" }, operations: [{ operationId: { value: "mine" } }] })).toEqual([]);
  });
});
