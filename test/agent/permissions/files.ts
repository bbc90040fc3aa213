/** Files of --acls that the table is asked with. `realms: false`: nobody is asked for a name, so everybody has none. */
export interface AclFile {
  readonly name: string;
  /** undefined: --acls is not given. */
  readonly acls: object | undefined;
  readonly realms: boolean;
}

const ANY = { type: "ANY" };
const NONE = { type: "NONE" };
const some = (...values: string[]) => ({ values });
const ops = some("ops");
const dev = some("dev");

/** Lists whose objects cannot be named, by their member. */
const IMPLICIT = {
  view_flags: "flags",
  access_mesos_logs: "logs",
  set_log_level: "level",
  view_resource_providers: "resource_providers",
  modify_resource_provider_configs: "resource_providers",
  mark_resource_providers_gone: "resource_providers",
  prune_images: "images",
  launch_standalone_containers: "users",
  wait_standalone_containers: "users",
  kill_standalone_containers: "users",
  remove_standalone_containers: "users",
  view_standalone_containers: "users",
} as const;
/** Lists whose objects are users. */
const SEEING = ["view_frameworks", "view_executors", "view_tasks", "view_containers"] as const;
const NESTED = [
  "launch_nested_containers_as_user",
  "launch_nested_containers_under_parent_with_user",
  "launch_nested_container_sessions_as_user",
  "launch_nested_container_sessions_under_parent_with_user",
  "wait_nested_containers",
  "kill_nested_containers",
  "remove_nested_containers",
  "attach_containers_input",
  "attach_containers_output",
] as const;

type Lists = Readonly<Record<string, readonly object[]>>;
const onUsers = (names: readonly string[], ...rules: readonly (readonly [object, object])[]): Lists =>
  Object.fromEntries(names.map((name) => [name, rules.map(([principals, users]) => ({ principals, users }))]));
const implied = (names: readonly (keyof typeof IMPLICIT)[], ...rules: readonly (readonly [object, object])[]): Lists =>
  Object.fromEntries(
    names.map((name) => [name, rules.map(([principals, objects]) => ({ principals, [IMPLICIT[name]]: objects }))]),
  );
const paths = (...rules: readonly (readonly [object, object])[]): Lists => ({
  get_endpoints: rules.map(([principals, objects]) => ({ principals, paths: objects })),
});
const EVERY_IMPLICIT = Object.keys(IMPLICIT) as (keyof typeof IMPLICIT)[];

const withNames = (name: string, acls: object | undefined): AclFile => ({ name, acls, realms: true });
const withoutNames = (name: string, acls: object | undefined): AclFile => ({ name, acls, realms: false });

export const files: readonly AclFile[] = [
  withNames("no file", undefined),
  withNames("nothing said", {}),
  withNames("nothing allowed", { permissive: false }),
  withNames("ops alone", {
    permissive: false,
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [ops, ANY]),
    ...implied(EVERY_IMPLICIT, [ops, ANY]),
    ...paths([ops, ANY]),
  }),
  withNames("everybody but dev", {
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [dev, NONE]),
    ...implied(EVERY_IMPLICIT, [dev, NONE]),
    ...paths([dev, NONE]),
  }),
  withNames("nobody, although permissive", {
    permissive: true,
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [NONE, ANY]),
    ...implied(EVERY_IMPLICIT, [ANY, NONE]),
    ...paths([NONE, ANY]),
  }),
  withNames("dev on alice's", {
    permissive: false,
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [dev, some("alice")], [ops, ANY]),
    ...paths([dev, some("/containers", "/metrics/snapshot")]),
  }),
  withNames("everything but bob's", {
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [ops, ANY], [NONE, some("bob")]),
  }),
  withNames("the first rule", {
    permissive: false,
    ...onUsers(["access_sandboxes"], [dev, some("alice")], [dev, NONE], [dev, ANY], [ANY, ANY]),
    ...implied(["view_flags", "access_mesos_logs"], [dev, NONE], [ANY, ANY]),
    ...paths([dev, some("/containers")], [ANY, NONE]),
  }),
  withNames("paths one by one", {
    ...paths(
      [ops, some("/metrics/snapshot", "/logging/toggle")],
      [dev, some("/files/debug", "/monitor/statistics")],
      [NONE, some("/metrics/snapshot", "/monitor/statistics", "/containers")],
    ),
  }),
  withNames("no list of users is a list of nobody", {
    permissive: false,
    ...onUsers(["access_sandboxes", ...NESTED], [some("ops", "dev"), some()], [some(), ANY], [ops, some("alice")]),
    ...implied(["set_log_level"], [some(), ANY]),
  }),
  withNames("launches as alice, below anybody", {
    permissive: false,
    ...onUsers(
      ["launch_nested_containers_as_user", "launch_nested_container_sessions_as_user"],
      [dev, some("alice")],
      [ops, ANY],
    ),
    ...onUsers(
      ["launch_nested_containers_under_parent_with_user", "launch_nested_container_sessions_under_parent_with_user"],
      [ANY, ANY],
    ),
  }),
  withNames("launches as anybody, below bob's", {
    permissive: false,
    ...onUsers(["launch_nested_containers_as_user", "launch_nested_container_sessions_as_user"], [ANY, ANY]),
    ...onUsers(
      ["launch_nested_containers_under_parent_with_user", "launch_nested_container_sessions_under_parent_with_user"],
      [dev, some("bob")],
    ),
  }),
  withNames("the log and the flags", {
    permissive: false,
    ...implied(["access_mesos_logs"], [dev, ANY]),
    ...implied(["view_flags", "set_log_level"], [ops, ANY], [ANY, NONE]),
  }),
  withoutNames("no names, no file", undefined),
  withoutNames("no names, nothing allowed", { permissive: false }),
  withoutNames("no names, rules for names only", {
    ...onUsers([...SEEING, ...NESTED, "access_sandboxes"], [ops, ANY], [some("dev"), NONE]),
    ...implied(EVERY_IMPLICIT, [ops, NONE]),
  }),
  withoutNames("no names, anybody may read", {
    permissive: false,
    ...onUsers([...SEEING, "access_sandboxes"], [ANY, ANY]),
    ...implied(["view_flags"], [ANY, ANY]),
    ...paths([ANY, ANY]),
  }),
  withoutNames("no names, nobody may read bob's", {
    ...onUsers(
      ["access_sandboxes", "wait_nested_containers", "kill_nested_containers"],
      [ANY, some("alice")],
      [NONE, ANY],
    ),
    ...implied(["access_mesos_logs"], [NONE, ANY]),
  }),
];
