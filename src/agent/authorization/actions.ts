/**
 * Every action that the ACL file of Mesos 1.11 can name: the parser, the check of endpoints and calls, and
 * docs/authorization.md are made from this table. The names are those of the file's lists.
 */
export interface ActionRow {
  /** The member of a rule that names its objects, beside `principals`. */
  readonly objects: string;
  /**
   * What the objects are. `implicit`: nothing can be named, only ANY and NONE make sense, and anything else is refused.
   * `role`: `a/%` stands for every role below `a`.
   */
  readonly kind: "user" | "role" | "path" | "principal" | "implicit";
  /** Who decides it. What only masters decide is read, so that one file serves both, and means nothing here. */
  readonly by: "agent" | "master";
  readonly summary: string;
}

const rule = <const By extends ActionRow["by"]>(
  by: By,
  kind: ActionRow["kind"],
  objects: string,
  summary: string,
): ActionRow & { readonly by: By } => ({ objects, kind, by, summary });

const ofUser = (summary: string) => rule("agent", "user", "users", summary);
const implicit = (objects: string, summary: string) => rule("agent", "implicit", objects, summary);
const masters = (kind: ActionRow["kind"], objects: string, summary: string) => rule("master", kind, objects, summary);

export const actions = {
  run_tasks: ofUser("Launch a task as the user. The subject is the framework's principal."),
  get_endpoints: rule("agent", "path", "paths", "See a page, by its path."),
  view_frameworks: ofUser("See frameworks of the user."),
  view_executors: ofUser("See executors that run as the user."),
  view_tasks: ofUser("See tasks that run as the user."),
  view_containers: ofUser("See containers whose executor runs as the user, and what they use."),
  view_standalone_containers: implicit("users", "See containers that belong to no framework."),
  view_roles: rule("agent", "role", "roles", "See what is reserved for the role, and operations on it."),
  view_flags: implicit("flags", "See the flags of the agent, and where its log lies."),
  view_resource_providers: implicit("resource_providers", "See resource providers."),
  access_sandboxes: ofUser("List and read sandboxes of executors that run as the user."),
  access_mesos_logs: implicit("logs", "Read the agent's log, and its words about what is wrong with it."),
  set_log_level: implicit("level", "Change the level of verbose log lines."),
  launch_nested_containers_as_user: ofUser("Launch a container inside another, as the user."),
  launch_nested_containers_under_parent_with_user: ofUser("The same, by the user of the executor that it is below."),
  wait_nested_containers: ofUser("Wait for a container inside another, by its executor's user."),
  kill_nested_containers: ofUser("Kill a container inside another, by its executor's user."),
  remove_nested_containers: ofUser("Remove what is left of a container inside another, by its executor's user."),
  launch_nested_container_sessions_as_user: ofUser("Launch a session (a shell) in a container, as the user."),
  launch_nested_container_sessions_under_parent_with_user: ofUser("The same, by the user of the executor there."),
  attach_containers_input: ofUser("Write to a container's input, by its executor's user."),
  attach_containers_output: ofUser("Read a container's output, by its executor's user."),
  launch_standalone_containers: implicit("users", "Launch a container that belongs to no framework."),
  wait_standalone_containers: implicit("users", "Wait for such a container."),
  kill_standalone_containers: implicit("users", "Kill such a container."),
  remove_standalone_containers: implicit("users", "Remove what is left of such a container."),
  modify_resource_provider_configs: implicit(
    "resource_providers",
    "Add, change, remove resource providers' configurations.",
  ),
  mark_resource_providers_gone: implicit("resource_providers", "Say that a resource provider will not come back."),
  prune_images: implicit("images", "Remove images that nothing uses."),
  drain_agents: implicit("agents", "Drain the node. Masters ask it too."),

  register_frameworks: masters("role", "roles", "Register a framework in the role."),
  teardown_frameworks: masters("principal", "framework_principals", "End a framework of the principal."),
  reserve_resources: masters("role", "roles", "Reserve resources for the role."),
  unreserve_resources: masters("principal", "reserver_principals", "Unreserve what the principal reserved."),
  create_volumes: masters("role", "roles", "Create persistent volumes for the role."),
  destroy_volumes: masters("principal", "creator_principals", "Destroy volumes that the principal created."),
  resize_volumes: masters("role", "roles", "Grow and shrink volumes of the role."),
  create_block_disks: masters("role", "roles", "Create block disks for the role."),
  destroy_block_disks: masters("role", "roles", "Destroy block disks of the role."),
  create_mount_disks: masters("role", "roles", "Create mount disks for the role."),
  destroy_mount_disks: masters("role", "roles", "Destroy mount disks of the role."),
  destroy_raw_disks: masters("role", "roles", "Destroy raw disks of the role."),
  update_weights: masters("role", "roles", "Change the role's weight."),
  get_quotas: masters("role", "roles", "See the role's quota."),
  update_quotas: masters("role", "roles", "Change the role's quota."),
  register_agents: masters("implicit", "agents", "Register as an agent."),
  deactivate_agents: masters("implicit", "agents", "Stop offers of an agent."),
  reactivate_agents: masters("implicit", "agents", "Offer an agent's resources again."),
  mark_agents_gone: masters("principal", "agents", "Say that an agent will not come back."),
  update_maintenance_schedules: masters("implicit", "machines", "Change the maintenance schedule."),
  get_maintenance_schedules: masters("implicit", "machines", "See the maintenance schedule."),
  start_maintenances: masters("implicit", "machines", "Begin maintenance."),
  stop_maintenances: masters("implicit", "machines", "End maintenance."),
  get_maintenance_statuses: masters("implicit", "machines", "See the state of maintenance."),
} as const satisfies Readonly<Record<string, ActionRow>>;

export type ActionName = keyof typeof actions;
/** Actions that this agent decides. */
export type AgentAction = {
  [Name in ActionName]: (typeof actions)[Name]["by"] extends "agent" ? Name : never;
}[ActionName];

/** What a call or page asks before it answers: all of it, in this order. */
export type Ask =
  /** Nothing: why anybody may have it. */
  | { readonly kind: "nothing"; readonly why: string }
  /** 403 unless the action is allowed; of a page, on its path. */
  | { readonly kind: "refuses"; readonly action: AgentAction }
  /** 403 unless the action is allowed for the sandbox or log that the request names. */
  | { readonly kind: "file" }
  /** 403 unless the action is allowed for the container that the call names: inside another, or standing alone. */
  | { readonly kind: "container"; readonly nested: ContainerAction; readonly alone?: AgentAction }
  /** 403 unless the action is allowed for the user of the executor whose container the call names; of one that is no executor's, `alone`. */
  | { readonly kind: "owned"; readonly action: AgentAction; readonly alone: AgentAction }
  /** Answered with what these actions let one see, and nothing of the rest. */
  | { readonly kind: "shows"; readonly actions: readonly AgentAction[] }
  /** What the call asks that the body holds. */
  | { readonly kind: "call" }
  /** The token of the executor that the body names, where executors have one. */
  | { readonly kind: "executor" };
export type Asks = readonly Ask[];

/** Actions on containers of an executor; for a launch the action's two lists are both asked. */
export type ContainerAction =
  | "launch_nested_containers"
  | "launch_nested_container_sessions"
  | "wait_nested_containers"
  | "kill_nested_containers"
  | "remove_nested_containers"
  | "attach_containers_input"
  | "attach_containers_output";

export const nothing = (why: string): Ask => ({ kind: "nothing", why });
export const refuses = (action: AgentAction): Ask => ({ kind: "refuses", action });
export const shows = (...shown: readonly AgentAction[]): Ask => ({ kind: "shows", actions: shown });
export const ofFile: Ask = { kind: "file" };
export const onContainer = (nested: ContainerAction, alone?: AgentAction): Ask => ({
  kind: "container",
  nested,
  ...(alone !== undefined && { alone }),
});

export const ofOwner = (action: AgentAction, alone: AgentAction): Ask => ({ kind: "owned", action, alone });

/** Pages that get_endpoints can name: those of Mesos, and our own. */
export const AUTHORIZABLE_PATHS = [
  "/containers",
  "/containerizer/debug",
  "/files/debug",
  "/logging/toggle",
  "/metrics/snapshot",
  "/monitor/statistics",
  "/health/details",
  "/metrics/prometheus",
  "/node",
  "/tasks",
] as const;
