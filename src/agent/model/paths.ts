import { normalize } from "node:path";

/**
 * Where everything lies. The trees are those of the C++ agent (mesos-agent-behaviour §3), so that its tools, the
 * master's web page and a C++ agent find what they expect:
 *
 *   <work_dir>/
 *     slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>/      sandbox
 *     slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/latest            link to the newest run
 *     volumes/roles/<role>/<persistence id>                                             persistent volumes
 *     meta/
 *       boot_id
 *       resources/{resources.info, resources.target}
 *       resources/{resources_and_operations.state, resources_and_operations.target}     since 1.8, then preferred
 *       slaves/latest                                                                   link to slaves/<agent>
 *       slaves/<agent>/{slave.info, drain.config}
 *       slaves/<agent>/operations/<uuid>/operation.updates
 *       slaves/<agent>/frameworks/<framework>/{framework.info, framework.pid}
 *         executors/<executor>/{executor.info, executor_generated_for_command_task, runs/latest}
 *           runs/<container>/{executor.sentinel, http.marker, pids/forked.pid, pids/libprocess.pid}
 *             tasks/<task>/{task.info, task.updates, task.launch, task.group, task.kill}
 *
 * task.launch, task.group and task.kill are ours: the RunTaskMessage, the ids of the group that it came in, and the kill that
 * is under way. C++ agents ignore them.
 */
export interface RunKey {
  readonly agentId: string;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
}

/** One string per framework and task, for maps. NUL cannot appear in an id. */
export const taskKey = (frameworkId: string, taskId: string): string => `${frameworkId}\0${taskId}`;

/**
 * Ids were checked before they come here, so nothing is left to normalise: that took a fifteenth of an agent's time in a
 * burst of launches. A launch asks for thirty paths: no list is made for any of them, and the steps of one are put together once.
 */
const join = (folder: string, name: string, below?: string): string =>
  below === undefined ? `${folder}/${name}` : `${folder}/${name}/${below}`;

export class Paths {
  readonly workDir: string;

  constructor(workDir: string) {
    this.workDir = normalize(workDir).replace(/(?<=.)\/+$/, "");
  }

  /** Sandboxes. */
  agent(agentId: string): string {
    return join(this.workDir, "slaves", agentId);
  }

  framework(agentId: string, frameworkId: string): string {
    return join(this.agent(agentId), "frameworks", frameworkId);
  }

  executor(agentId: string, frameworkId: string, executorId: string): string {
    return join(this.framework(agentId, frameworkId), "executors", executorId);
  }

  sandbox({ agentId, frameworkId, executorId, containerId }: RunKey): string {
    return join(this.executor(agentId, frameworkId, executorId), "runs", containerId);
  }

  volume(role: string, persistenceId: string): string {
    return join(join(this.workDir, "volumes", "roles"), role.replaceAll("/", " "), persistenceId);
  }

  readonly meta = {
    root: (): string => join(this.workDir, "meta"),
    bootId: (): string => join(this.meta.root(), "boot_id"),
    resources: (): string => join(this.meta.root(), "resources", "resources.info"),
    resourcesTarget: (): string => join(this.meta.root(), "resources", "resources.target"),
    resourcesAndOperations: (): string => join(this.meta.root(), "resources", "resources_and_operations.state"),
    resourcesAndOperationsTarget: (): string => join(this.meta.root(), "resources", "resources_and_operations.target"),
    agents: (): string => join(this.meta.root(), "slaves"),
    latestAgent: (): string => join(this.meta.agents(), "latest"),
    agent: (agentId: string): string => join(this.meta.agents(), agentId),
    agentInfo: (agentId: string): string => join(this.meta.agent(agentId), "slave.info"),
    drain: (agentId: string): string => join(this.meta.agent(agentId), "drain.config"),
    operations: (agentId: string): string => join(this.meta.agent(agentId), "operations"),
    operation: (agentId: string, uuid: string): string => join(this.meta.operations(agentId), uuid),
    operationUpdates: (agentId: string, uuid: string): string =>
      join(this.meta.operation(agentId, uuid), "operation.updates"),
    frameworks: (agentId: string): string => join(this.meta.agent(agentId), "frameworks"),
    framework: (agentId: string, frameworkId: string): string => join(this.meta.frameworks(agentId), frameworkId),
    frameworkInfo: (agentId: string, frameworkId: string): string =>
      join(this.meta.framework(agentId, frameworkId), "framework.info"),
    frameworkPid: (agentId: string, frameworkId: string): string =>
      join(this.meta.framework(agentId, frameworkId), "framework.pid"),
    executors: (agentId: string, frameworkId: string): string =>
      join(this.meta.framework(agentId, frameworkId), "executors"),
    executor: (agentId: string, frameworkId: string, executorId: string): string =>
      join(this.meta.executors(agentId, frameworkId), executorId),
    executorInfo: (agentId: string, frameworkId: string, executorId: string): string =>
      join(this.meta.executor(agentId, frameworkId, executorId), "executor.info"),
    generatedForCommandTask: (agentId: string, frameworkId: string, executorId: string): string =>
      join(this.meta.executor(agentId, frameworkId, executorId), "executor_generated_for_command_task"),
    runs: (agentId: string, frameworkId: string, executorId: string): string =>
      join(this.meta.executor(agentId, frameworkId, executorId), "runs"),
    latestRun: (agentId: string, frameworkId: string, executorId: string): string =>
      join(this.meta.runs(agentId, frameworkId, executorId), "latest"),
    run: ({ agentId, frameworkId, executorId, containerId }: RunKey): string =>
      join(this.meta.runs(agentId, frameworkId, executorId), containerId),
    sentinel: (run: RunKey): string => join(this.meta.run(run), "executor.sentinel"),
    httpMarker: (run: RunKey): string => join(this.meta.run(run), "http.marker"),
    pids: (run: RunKey): string => join(this.meta.run(run), "pids"),
    forkedPid: (run: RunKey): string => join(this.meta.pids(run), "forked.pid"),
    libprocessPid: (run: RunKey): string => join(this.meta.pids(run), "libprocess.pid"),
    tasks: (run: RunKey): string => join(this.meta.run(run), "tasks"),
    task: (run: RunKey, taskId: string): string => join(this.meta.tasks(run), taskId),
    taskInfo: (run: RunKey, taskId: string): string => join(this.meta.task(run, taskId), "task.info"),
    taskUpdates: (run: RunKey, taskId: string): string => join(this.meta.task(run, taskId), "task.updates"),
    taskLaunch: (run: RunKey, taskId: string): string => join(this.meta.task(run, taskId), "task.launch"),
    taskGroup: (run: RunKey, taskId: string): string => join(this.meta.task(run, taskId), "task.group"),
    taskKill: (run: RunKey, taskId: string): string => join(this.meta.task(run, taskId), "task.kill"),
  };
}
