import type { AgentFlags } from "../../flags/table.ts";

/** Whether clients may look into running tasks: by our own flag, or by the word that ClusterD has for it. */
export const isExecEnabled = ({
  task_exec,
  agent_subsystems = "",
}: Pick<AgentFlags, "task_exec" | "agent_subsystems">): boolean =>
  task_exec === "enabled" || agent_subsystems.split(",").some((word) => word.trim() === "container_exec");
