import type { Process } from "../../libprocess/process.ts";
import { formatUPID } from "../../libprocess/upid.ts";
import type { ExecutorTokens } from "../authorization/executor-tokens.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { Identity } from "../model/identity.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../model/records.ts";
import { executorEnvironment } from "./environment.ts";

export interface TaskEnvironmentOptions {
  readonly flags: AgentFlags;
  /** The agent's environment, of which tasks get very little. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly identity: Identity;
  readonly process: Pick<Process, "self">;
  /** undefined: executors get no tokens. */
  readonly tokens: ExecutorTokens | undefined;
}

/** The environment of a launch, from what the agent is and what the launch asks for. */
export class TaskEnvironment {
  readonly #options: TaskEnvironmentOptions;

  constructor(options: TaskEnvironmentOptions) {
    this.#options = options;
  }

  async of(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    task: TaskRecord | undefined,
  ): Promise<Record<string, string>> {
    const { flags, environment, process, identity, tokens } = this.#options;
    const { frameworkId, executorId, containerId } = executor;
    const container = task?.info?.container ?? executor.info.container;
    const inImage = container?.docker !== undefined || container?.mesos?.image !== undefined;
    return executorEnvironment({
      agent: environment,
      configured: flags.executor_environment_variables as Record<string, string> | undefined,
      frameworkId: framework.frameworkId,
      executorId: executor.executorId,
      agentId: identity.id,
      agentPid: formatUPID(process.self),
      agentEndpoint: `${process.self.ip}:${process.self.port}`,
      directory: executor.directory,
      sandbox: inImage ? flags.sandbox_directory : executor.directory,
      checkpoint: framework.info.checkpoint,
      recoveryTimeout: flags.recovery_timeout,
      shutdownGracePeriod: flags.executor_shutdown_grace_period,
      httpCommandExecutor: false,
      allocationRole: (task?.task.resources ?? executor.info.resources)[0]?.allocationInfo?.role,
      command: executor.info.command,
      token: executor.kind === "command" ? undefined : await tokens?.of({ frameworkId, executorId, containerId }),
    });
  }
}
