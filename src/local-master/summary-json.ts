import { TaskState } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../mesos/ids.ts";
import type { Json } from "../mesos/json-text.ts";
import { stateName } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";
import { agentJson, frameworkSummary } from "./state-json.ts";

const COUNTED = [
  TaskState.TASK_STAGING,
  TaskState.TASK_STARTING,
  TaskState.TASK_RUNNING,
  TaskState.TASK_KILLING,
  TaskState.TASK_FINISHED,
  TaskState.TASK_KILLED,
  TaskState.TASK_FAILED,
  TaskState.TASK_LOST,
  TaskState.TASK_ERROR,
  TaskState.TASK_UNREACHABLE,
] as const;

interface Known {
  readonly frameworkId: string;
  readonly agentId: string;
  readonly state: TaskState;
}

const counts = (tasks: readonly Known[]): { [state: string]: number } =>
  Object.fromEntries(
    COUNTED.map((state) => [stateName(state), tasks.filter((task) => task.state === state).length] as const),
  );

/** `/state-summary`: agents and frameworks with how many of their tasks are in which state, but no task by name. */
export function summaryJson(cluster: Cluster): { [key: string]: Json } {
  const tasks = [...cluster.frameworks.values()].flatMap(({ id, tasks: live, unreachable, completed }): Known[] => [
    ...[...live.values(), ...unreachable.values()].map((entry) => ({
      frameworkId: id,
      agentId: entry.agentId,
      state: entry.task.state,
    })),
    ...completed.map((task) => ({ frameworkId: id, agentId: idOf(task.agentId), state: task.state })),
  ]);
  return {
    hostname: cluster.context.masterInfo.hostname,
    slaves: [...cluster.agents.values()].map((agent) => {
      const own = tasks.filter(({ agentId }) => agentId === agent.id);
      const frameworkIds = [...new Set(own.map(({ frameworkId }) => frameworkId))];
      return { ...agentJson(agent, cluster), ...counts(own), framework_ids: frameworkIds };
    }),
    frameworks: [...cluster.frameworks.values()].map((framework) => {
      const own = tasks.filter(({ frameworkId }) => frameworkId === framework.id);
      const agentIds = [...new Set(own.map(({ agentId }) => agentId))];
      return { ...frameworkSummary(framework), ...counts(own), slave_ids: agentIds };
    }),
  };
}
