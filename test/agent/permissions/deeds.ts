import { request } from "node:http";

/** What an agent has of the two users whose tasks run on it. */
export interface Target {
  readonly port: number;
  readonly sandboxes: Readonly<Record<"alice" | "bob", string>>;
  readonly containers: Readonly<Record<"alice" | "bob", string>>;
}

/** Who asks: a name with its password, or none. */
export const PRINCIPALS = ["ops", "dev", "guest", "none"] as const;
export type Principal = (typeof PRINCIPALS)[number];

export const CREDENTIALS = {
  credentials: ["ops", "dev", "guest"].map((principal) => ({ principal, secret: `${principal}'s` })),
};

export interface Deed {
  readonly name: string;
  /** Not for a C++ agent. */
  readonly own?: true;
  /** Of what is done, only whether it was let in (neither 401 nor 403): what comes of it is not this table's. */
  readonly letIn?: true;
  readonly send: (target: Target, authorization: string | undefined) => Promise<number>;
}

/** Resolves to the status; the body may never end. */
function status(port: number, method: string, path: string, headers: object, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port, method, path, headers: { ...headers }, agent: false },
      (response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      },
    );
    sent.on("error", (cause) => reject(new Error(`${method} ${path} ${body ?? ""} got no answer`, { cause })));
    sent.end(body);
  });
}

const named = (authorization: string | undefined) => (authorization === undefined ? {} : { authorization });

const page = (path: string, more: Partial<Deed> = {}): Deed => ({
  name: path,
  send: ({ port }, authorization) => status(port, "GET", path, named(authorization)),
  ...more,
});

const file = (page: "browse" | "read" | "download", whose: "alice" | "bob"): Deed => ({
  name: `/files/${page} ${whose}`,
  send: ({ port, sandboxes }, authorization) => {
    const path = page === "browse" ? sandboxes[whose] : `${sandboxes[whose]}/stdout`;
    const query = `path=${encodeURIComponent(path)}${page === "read" ? "&offset=0&length=1" : ""}`;
    return status(port, "GET", `/files/${page}?${query}`, named(authorization));
  },
});

function call(type: string, more: Partial<Deed> & { readonly body?: (target: Target) => object } = {}): Deed {
  const { body, ...rest } = more;
  const json = { "content-type": "application/json", accept: "application/json" };
  return {
    name: type,
    send: (target, authorization) => {
      const text = JSON.stringify({ type: type.split(" ")[0], ...body?.(target) });
      return status(target.port, "POST", "/api/v1", { ...json, ...named(authorization) }, text);
    },
    ...rest,
  };
}

const nested = (type: string, whose: "alice" | "bob", command?: object): Deed =>
  call(`${type} ${whose}${command === undefined ? "" : ` as ${JSON.stringify(command)}`}`, {
    letIn: true,
    body: ({ containers }) => ({
      [type.toLowerCase()]: {
        container_id: { value: "no-such-child", parent: { value: containers[whose] } },
        ...(command !== undefined && { command }),
      },
    }),
  });
const alone = (type: string, more: Partial<Deed> = {}): Deed =>
  call(`${type} alone`, {
    letIn: true,
    ...more,
    body: () => ({ [type.toLowerCase()]: { container_id: { value: "no-such-container" } } }),
  });

const log = { read_file: { path: "/slave/log", offset: 0, length: 1 } };
const provider = { resource_provider_id: { value: "none" } };
const logOf = (whose: "alice" | "bob"): Deed =>
  call(`READ_LOG ${whose}`, {
    own: true,
    body: ({ containers }) => ({ read_log: { source: "CONTAINER", container_id: { value: containers[whose] } } }),
  });
const limitOf = (whose: "alice" | "bob" | "nobody"): Deed =>
  call(`UPDATE_CONTAINER_MEMORY_LIMIT ${whose}`, {
    ...{ own: true, letIn: true },
    body: ({ containers }) => {
      const value = whose === "nobody" ? "no-such-container" : containers[whose];
      return { update_container_memory_limit: { container_id: { value }, memory_limit: { value: 64 } } };
    },
  });
/** Fails to run wherever it is let in. */
const broken = (user: string) => ({ value: "/no/such/program", shell: false, user });

export const deeds: readonly Deed[] = [
  page("/health"),
  page("/version"),
  page("/state"),
  page("/flags"),
  page("/containers"),
  page("/monitor/statistics"),
  page("/metrics/snapshot"),
  // A C++ agent asks no password for it.
  page("/system/stats.json", { own: true }),
  page("/logging/toggle"),
  page("/files/debug"),
  page("/files/browse?path=/no/such/path"),
  page("/files/read?path=/slave/log&offset=0&length=1"),
  file("browse", "alice"),
  file("browse", "bob"),
  file("read", "alice"),
  file("download", "bob"),
  page("/tasks", { own: true }),
  page("/node", { own: true }),
  page("/health/details", { own: true }),
  page("/metrics/prometheus", { own: true }),
  call("GET_HEALTH"),
  call("GET_FLAGS"),
  call("GET_VERSION"),
  call("GET_METRICS", { body: () => ({ get_metrics: {} }) }),
  call("GET_LOGGING_LEVEL"),
  call("SET_LOGGING_LEVEL", { body: () => ({ set_logging_level: { level: 1, duration: { nanoseconds: 1 } } }) }),
  call("LIST_FILES alice", { body: ({ sandboxes }) => ({ list_files: { path: sandboxes.alice } }) }),
  call("LIST_FILES bob", { body: ({ sandboxes }) => ({ list_files: { path: sandboxes.bob } }) }),
  call("READ_FILE alice", {
    body: ({ sandboxes }) => ({ read_file: { path: `${sandboxes.alice}/stdout`, offset: 0 } }),
  }),
  call("READ_FILE log", { body: () => log }),
  call("GET_STATE"),
  call("GET_CONTAINERS", { body: () => ({ get_containers: {} }) }),
  call("GET_FRAMEWORKS"),
  call("GET_EXECUTORS"),
  call("GET_OPERATIONS"),
  call("GET_TASKS"),
  call("GET_AGENT"),
  call("GET_RESOURCE_PROVIDERS"),
  call("MARK_RESOURCE_PROVIDER_GONE", { letIn: true, body: () => ({ mark_resource_provider_gone: provider }) }),
  call("REMOVE_RESOURCE_PROVIDER_CONFIG", {
    letIn: true,
    body: () => ({ remove_resource_provider_config: { type: "t", name: "n" } }),
  }),
  call("PRUNE_IMAGES", { letIn: true, body: () => ({ prune_images: {} }) }),
  nested("WAIT_NESTED_CONTAINER", "alice"),
  nested("WAIT_NESTED_CONTAINER", "bob"),
  nested("WAIT_CONTAINER", "bob"),
  nested("KILL_NESTED_CONTAINER", "alice"),
  nested("KILL_CONTAINER", "bob"),
  nested("REMOVE_NESTED_CONTAINER", "alice"),
  nested("REMOVE_CONTAINER", "bob"),
  nested("ATTACH_CONTAINER_OUTPUT", "alice"),
  nested("ATTACH_CONTAINER_OUTPUT", "bob"),
  nested("LAUNCH_NESTED_CONTAINER", "alice", broken("alice")),
  nested("LAUNCH_NESTED_CONTAINER", "bob", broken("root")),
  nested("LAUNCH_CONTAINER", "bob", broken("alice")),
  alone("WAIT_CONTAINER"),
  alone("KILL_CONTAINER"),
  // A C++ agent aborts when that is let in.
  alone("REMOVE_CONTAINER", { own: true }),
  logOf("alice"),
  logOf("bob"),
  call("READ_LOG unknown", {
    own: true,
    body: () => ({ read_log: { source: "CONTAINER", container_id: { value: "no-such-container" } } }),
  }),
  limitOf("alice"),
  limitOf("bob"),
  limitOf("nobody"),
  call("READ_LOG log", { own: true, body: () => ({ read_log: { source: "AGENT", length: 1 } }) }),
];

/** What a status counts as in the table. */
const verdictOf = ({ letIn }: Deed, status: number): string =>
  letIn && status !== 401 && status !== 403 ? "in" : String(status);

export function authorizationOf(principal: Principal): string | undefined {
  if (principal === "none") return undefined;
  return `Basic ${Buffer.from(`${principal}:${principal}'s`).toString("base64")}`;
}

/** Everything that somebody is answered, in the order of the deeds; of a C++ agent's what is Mesos' own. */
export async function answersTo(principal: Principal, target: Target, { isPeer = false } = {}): Promise<string[]> {
  const verdicts: string[] = [];
  for (const deed of deeds)
    verdicts.push(deed.own && isPeer ? "" : verdictOf(deed, await deed.send(target, authorizationOf(principal))));
  return verdicts;
}
