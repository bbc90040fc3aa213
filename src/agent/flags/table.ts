import { defineFlags, type FlagGroup, type FlagValues } from "../../config/flag.ts";
import { helpFlags } from "../../config/help.ts";
import { clusterFlags } from "./cluster.ts";
import { containerFlags, imageFlags } from "./containers.ts";
import { isolationFlags, networkFlags } from "./isolation.ts";
import { resourceFlags, stateFlags } from "./node.ts";
import { accessFlags, loggingFlags, moduleFlags } from "./operator.ts";
import { portMappingFlags } from "./port-mapping.ts";
import { fetcherFlags, sandboxFlags, taskFlags } from "./tasks.ts";

/** Every flag of the agent of Mesos 0.23.0 to 1.11.0. */
export const agentFlags = defineFlags({
  ...helpFlags,
  ...clusterFlags,
  ...resourceFlags,
  ...stateFlags,
  ...taskFlags,
  ...fetcherFlags,
  ...sandboxFlags,
  ...containerFlags,
  ...imageFlags,
  ...isolationFlags,
  ...networkFlags,
  ...portMappingFlags,
  ...accessFlags,
  ...moduleFlags,
  ...loggingFlags,
});

export type AgentFlagTable = typeof agentFlags;
/** Durations are milliseconds, sizes are bytes. */
export type AgentFlags = FlagValues<AgentFlagTable>;

/** The table under headings, for the documentation. */
export const agentFlagGroups: readonly FlagGroup[] = [
  { title: "The program", flags: helpFlags },
  { title: "Master, address, registration", flags: clusterFlags },
  { title: "Resources", flags: resourceFlags },
  { title: "State, recovery, clean-up", flags: stateFlags },
  { title: "Tasks and executors", flags: taskFlags },
  { title: "Fetcher", flags: fetcherFlags },
  { title: "Sandboxes", flags: sandboxFlags },
  { title: "Containerizers, Docker", flags: containerFlags },
  { title: "Images of the mesos containerizer", flags: imageFlags },
  { title: "Isolation by the mesos containerizer", flags: isolationFlags },
  { title: "Networks of the mesos containerizer", flags: networkFlags },
  { title: "The isolator network/port_mapping", flags: portMappingFlags },
  { title: "Access to the agent's pages", flags: accessFlags },
  { title: "Modules", flags: moduleFlags },
  { title: "Logging", flags: loggingFlags },
];

/**
 * `MESOS_*` variables that are no flags of the agent and yet read by something, or set by it: no warning about them.
 * The `MESOS_*` of an executor's environment (§5.3) are there when an agent runs inside a task.
 */
export const agentVariables = [
  "MESOS_MASTER_PORT",
  "MESOS_NATIVE_JAVA_LIBRARY",
  "MESOS_NATIVE_LIBRARY",
  "MESOS_SANDBOX",
  "MESOS_DIRECTORY",
  "MESOS_EXECUTOR_ID",
  "MESOS_FRAMEWORK_ID",
  "MESOS_SLAVE_ID",
  "MESOS_SLAVE_PID",
  "MESOS_AGENT_ENDPOINT",
  "MESOS_CHECKPOINT",
  "MESOS_CONTAINER_NAME",
  "MESOS_TASK_ID",
];
