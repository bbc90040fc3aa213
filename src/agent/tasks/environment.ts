import { formatDuration } from "../../base/duration.ts";
import type { CommandInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../mesos/secrets.ts";
import { DEFAULT_PATH } from "../model/default-path.ts";
import { TOKEN_VARIABLE } from "../model/executor-token.ts";

export interface EnvironmentInput {
  /** The agent's own environment. Only PATH, LIBPROCESS_IP and the MESOS_NATIVE_* pair are ever taken from it. */
  readonly agent: Readonly<Record<string, string | undefined>>;
  /** `--executor_environment_variables`: replaces what would be taken from the agent's environment. */
  readonly configured: Readonly<Record<string, string>> | undefined;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly agentId: string;
  /** `slave(1)@ip:port` */
  readonly agentPid: string;
  /** `ip:port` */
  readonly agentEndpoint: string;
  /** The sandbox on the host. */
  readonly directory: string;
  /** The sandbox as the process sees it. */
  readonly sandbox: string;
  readonly checkpoint: boolean;
  /** Milliseconds. */
  readonly recoveryTimeout: number;
  /** Milliseconds. */
  readonly shutdownGracePeriod: number;
  readonly httpCommandExecutor: boolean;
  readonly allocationRole: string | undefined;
  readonly command: CommandInfo | undefined;
  /** What an executor shows at the agent's HTTP API. Of executors alone: a task has no business there. */
  readonly token: string | undefined;
}

/** Longest wait of an HTTP executor before it subscribes again, milliseconds. */
const SUBSCRIPTION_BACKOFF_MAX = 2_000;
const INHERITED = ["LIBPROCESS_IP", "MESOS_NATIVE_JAVA_LIBRARY", "MESOS_NATIVE_LIBRARY"] as const;

/**
 * The environment of a task or executor (mesos-wire §5.3). Never the agent's whole environment: it may hold secrets. The
 * variables of both eras are all set, so that executors of any age start; what the command says overrides everything,
 * its secrets resolved. Throws a UserError for a variable that cannot be.
 */
export function executorEnvironment(input: EnvironmentInput): Record<string, string> {
  const environment: Record<string, string> = {};
  if (input.configured !== undefined) Object.assign(environment, input.configured);
  else {
    for (const name of INHERITED) {
      const value = input.agent[name];
      if (value !== undefined) environment[name] = value;
    }
  }
  environment["PATH"] ??= (input.configured === undefined ? input.agent["PATH"] : undefined) ?? DEFAULT_PATH;
  Object.assign(environment, {
    LIBPROCESS_PORT: "0",
    MESOS_FRAMEWORK_ID: input.frameworkId,
    MESOS_EXECUTOR_ID: input.executorId,
    MESOS_SLAVE_ID: input.agentId,
    MESOS_SLAVE_PID: input.agentPid,
    MESOS_AGENT_ENDPOINT: input.agentEndpoint,
    MESOS_DIRECTORY: input.directory,
    MESOS_SANDBOX: input.sandbox,
    MESOS_CHECKPOINT: input.checkpoint ? "1" : "0",
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: formatDuration(input.shutdownGracePeriod),
    MESOS_HTTP_COMMAND_EXECUTOR: input.httpCommandExecutor ? "1" : "0",
  });
  if (input.checkpoint) {
    environment["MESOS_RECOVERY_TIMEOUT"] = formatDuration(input.recoveryTimeout);
    environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = formatDuration(SUBSCRIPTION_BACKOFF_MAX);
  }
  if (input.allocationRole !== undefined) environment["MESOS_ALLOCATION_ROLE"] = input.allocationRole;
  if (input.token !== undefined) environment[TOKEN_VARIABLE] = input.token;
  // Not by assignment: that would lose a variable named __proto__.
  return { ...environment, ...variablesOf(input.command?.environment) };
}
