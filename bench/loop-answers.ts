/** Every page and call whose answer grows with what an agent runs, for bench/loop-delay.ts. */

/** A request, as it is handed to a thread. */
export interface Asked {
  readonly path: string;
  readonly body?: string;
  readonly headers: Readonly<Record<string, string>>;
}

const PAGES = [
  "/state",
  "/tasks",
  "/tasks?task_id=task-17",
  "/containers",
  "/monitor/statistics",
  "/files/debug",
  "/files/browse?path=/sandbox",
  "/metrics/snapshot",
  "/metrics/prometheus",
  "/health/details",
  "/node",
];

const CALLS: readonly Readonly<Record<string, unknown>>[] = [
  ...["GET_STATE", "GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS", "GET_CONTAINERS", "GET_AGENT"].map((type) => ({
    type,
  })),
  { type: "GET_METRICS", get_metrics: {} },
  { type: "LIST_FILES", list_files: { path: "/sandbox" } },
  { type: "READ_FILE", read_file: { path: "/sandbox/file-1", offset: 0 } },
];

const pages: readonly Asked[] = PAGES.map((path) => ({ path, headers: { "accept-encoding": "identity" } }));

const calls: readonly Asked[] = CALLS.flatMap((call) =>
  ["application/json", "application/x-protobuf"].map((accept) => ({
    path: "/api/v1",
    body: JSON.stringify(call),
    headers: { "content-type": "application/json", accept },
  })),
);

export const everyLongAnswer: readonly Asked[] = [...pages, ...calls];
