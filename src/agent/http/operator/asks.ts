import type { Call_Type } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { type Ask, nothing, ofFile, ofOwner, onContainer, refuses, shows } from "../../authorization/actions.ts";

type CallName = keyof typeof Call_Type;

const work = shows("view_frameworks", "view_executors", "view_tasks");
const configures = refuses("modify_resource_provider_configs");

/**
 * Of what Mesos has no action for, the nearest. Rows of `callAsks` and of the pages that do them are made of these.
 *
 * A memory limit can end a task as a kill can; a task's log is what its sandbox has; draining is what masters do with a node.
 */
export const nearestActions = {
  UPDATE_CONTAINER_MEMORY_LIMIT: "kill_nested_containers",
  READ_LOG: "access_sandboxes",
  drain: "drain_agents",
} as const;

/** What each call asks of --acls; the compiler sees to it that none is forgotten. Those of Mesos as Mesos does. */
export const callAsks: Readonly<Record<CallName, Ask>> = {
  UNKNOWN: nothing("it is refused"),
  GET_HEALTH: nothing("as /health"),
  GET_FLAGS: refuses("view_flags"),
  GET_VERSION: nothing("as /version"),
  GET_METRICS: shows("view_frameworks", "view_executors", "view_tasks", "view_containers"),
  GET_LOGGING_LEVEL: nothing("a number"),
  SET_LOGGING_LEVEL: refuses("set_log_level"),
  LIST_FILES: ofFile,
  READ_FILE: ofFile,
  GET_STATE: work,
  GET_CONTAINERS: shows("view_containers", "view_standalone_containers"),
  GET_FRAMEWORKS: shows("view_frameworks"),
  GET_EXECUTORS: shows("view_frameworks", "view_executors"),
  GET_OPERATIONS: shows("view_roles"),
  GET_TASKS: work,
  GET_AGENT: shows("view_roles"),
  GET_RESOURCE_PROVIDERS: shows("view_resource_providers"),
  ADD_RESOURCE_PROVIDER_CONFIG: configures,
  UPDATE_RESOURCE_PROVIDER_CONFIG: configures,
  REMOVE_RESOURCE_PROVIDER_CONFIG: configures,
  MARK_RESOURCE_PROVIDER_GONE: refuses("mark_resource_providers_gone"),
  PRUNE_IMAGES: refuses("prune_images"),
  LAUNCH_NESTED_CONTAINER: onContainer("launch_nested_containers"),
  WAIT_NESTED_CONTAINER: onContainer("wait_nested_containers"),
  KILL_NESTED_CONTAINER: onContainer("kill_nested_containers"),
  REMOVE_NESTED_CONTAINER: onContainer("remove_nested_containers"),
  LAUNCH_NESTED_CONTAINER_SESSION: onContainer("launch_nested_container_sessions"),
  ATTACH_CONTAINER_INPUT: onContainer("attach_containers_input"),
  ATTACH_CONTAINER_OUTPUT: onContainer("attach_containers_output"),
  LAUNCH_CONTAINER: onContainer("launch_nested_containers", "launch_standalone_containers"),
  WAIT_CONTAINER: onContainer("wait_nested_containers", "wait_standalone_containers"),
  KILL_CONTAINER: onContainer("kill_nested_containers", "kill_standalone_containers"),
  REMOVE_CONTAINER: onContainer("remove_nested_containers", "remove_standalone_containers"),
  UPDATE_CONTAINER_MEMORY_LIMIT: ofOwner(nearestActions.UPDATE_CONTAINER_MEMORY_LIMIT, "kill_standalone_containers"),
  READ_LOG: ofOwner(nearestActions.READ_LOG, nearestActions.READ_LOG),
};
