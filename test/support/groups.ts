import { ExecutorInfo_Type, Offer_Operation_Type } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { commandTask, type TestScheduler } from "./scheduler.ts";

type Task = ReturnType<typeof commandTask>;

const EXECUTOR = parseResources("cpus:0.1;mem:32;disk:10").toMessages("pre");

/** A member of a task group: a command that runs in a container within the executor's. */
export const member = (id: string, command: string, more: object = {}): Task => commandTask(id, command, more);

/** Launches a task group of the default executor by that id on the first offer. */
export async function launchGroup(
  scheduler: TestScheduler,
  tasks: readonly Task[],
  executorId = "default",
): Promise<void> {
  const offer = await scheduler.offer();
  const agentId = { value: offer.agentId?.value ?? "" };
  const executor = {
    type: ExecutorInfo_Type.DEFAULT,
    executorId: { value: executorId },
    frameworkId: { value: scheduler.frameworkId ?? "" },
    resources: EXECUTOR,
  };
  const taskGroup = { tasks: tasks.map((task) => ({ ...task, agentId })) };
  const operation = { type: Offer_Operation_Type.LAUNCH_GROUP, launchGroup: { executor, taskGroup } };
  await scheduler.accept([offer], [operation as never]);
}
