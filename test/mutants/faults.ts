/** A fault in a rule that masters, frameworks, executors or operators rely on. `npm run check` has to notice each. */
export interface Fault {
  readonly name: string;
  /** What the user would meet. */
  readonly breaks: string;
  /** The folder below src/ whose files are searched: files move, rules stay. */
  readonly room: "agent" | "forwarder";
  /** Stands in exactly one file of the room, exactly once. */
  readonly text: string;
  readonly instead: string;
}

export const faults: readonly Fault[] = [
  {
    name: "a rule that refuses allows",
    breaks: "who is refused by --acls sees and does what he asks for",
    room: "agent",
    text: 'rule.principals.type !== "NONE" && rule.objects.type !== "NONE"',
    instead: "true",
  },
  {
    name: "pages ask no rules",
    breaks: "pages that get_endpoints refuses are shown",
    room: "agent",
    text: "asks.map((ask) => permission.refusal(ask, wanted))",
    instead: "asks.map(() => undefined as Answer | undefined)",
  },
  {
    name: "a token speaks for any executor",
    breaks: "one executor ends the tasks of another",
    room: "agent",
    text: "if (framework === claims.frameworkId && executor === claims.executorId) return true;",
    instead: "return true;",
  },
  {
    name: "a token speaks for every run",
    breaks: "an executor that is over speaks for the one that took its place, while the agent recovers",
    room: "agent",
    text: "request.subject.claims.containerId !== executor.containerId",
    instead: "false",
  },
  {
    name: "a token outlives its container",
    breaks: "what was once an executor goes on",
    room: "agent",
    text: 'executor?.containerId === claims.containerId && executor.state !== "TERMINATED"',
    instead: "true",
  },
  {
    name: "tasks have tokens",
    breaks: "a task acts as an executor",
    room: "agent",
    text: 'token: executor.kind === "command" ? undefined : await',
    instead: "token: await",
  },
  {
    name: "work that may not be seen is shown",
    breaks: "names, commands and labels of others' tasks",
    room: "agent",
    text: "frameworks: permittedFrameworks(snapshot.frameworks, approver),",
    instead: "frameworks: snapshot.frameworks,",
  },
  {
    name: "sandboxes are everybody's",
    breaks: "what others' tasks have written is read",
    room: "agent",
    text: "if (owner !== undefined && !this.#mayShow(owner)) {",
    instead: "if (owner === undefined) {",
  },
  {
    name: "a framework runs tasks as anybody",
    breaks: "run_tasks of --acls keeps nobody from root",
    room: "agent",
    text: 'if (approver.allows("run_tasks", user)) continue;',
    instead: "if (user !== undefined) continue;",
  },
  {
    name: "RunTask accepted from anybody",
    breaks: "whoever reaches the port runs programs on the node",
    room: "agent",
    text: 'row(RunTaskMessageSchema, "master", 16 * MIB),',
    instead: 'row(RunTaskMessageSchema, "anybody", 16 * MIB),',
  },
  {
    name: "an executor may ignore its shutdown for ever",
    breaks: "resources of an executor that hangs are never free again",
    room: "agent",
    text: "this.#arm(entry, grace, () => this.#destroy(entry, undefined));",
    instead: "this.#arm(entry, grace, () => undefined);",
  },
  {
    name: "ExitedExecutor never sent",
    breaks: "the master counts an executor that is gone",
    room: "agent",
    text: "this.sendExited(framework.frameworkId, executor.executorId, termination.status ?? -1);",
    instead: "",
  },
  {
    name: "a failed launch is not undone",
    breaks: "a container runs whose task was reported as failed",
    room: "agent",
    text: "await this.#undo(launch, begun);",
    instead: "",
  },
  {
    name: "admission's refusal ignored",
    breaks: "tasks run with resources that are not theirs",
    room: "agent",
    text: 'if (verdict.kind === "refuse") {',
    instead: 'if (verdict.kind === "refuse" && false) {',
  },
  {
    name: "killed reported as failed",
    breaks: "frameworks start a task again that was killed",
    room: "agent",
    text: "killed: record.kill !== undefined || cause !== undefined,",
    instead: "killed: false,",
  },
  {
    name: "launches do not wait for the agent's id on disk",
    breaks: "tasks of an agent that forgets them when it is killed in its first moment",
    room: "agent",
    text: "gate.hold(written);",
    instead: "",
  },
  {
    name: "an undelivered task not reported",
    breaks: "a task that never reached its executor stays STAGING for ever",
    room: "agent",
    text: "statuses.neverDelivered(framework, executor, neverDelivered(executor, listed));\n    executor.everDelivered = true;",
    instead: "executor.everDelivered = true;",
  },
  {
    name: "a recovered executor without containerizer",
    breaks: "nothing that ran before the agent's restart can be killed",
    room: "agent",
    text: "if (found.has(executor.containerId)) executor.containerizer = containerizer;",
    instead: "found.has(executor.containerId);",
  },
  {
    name: "lost windows unsorted",
    breaks: "log lines arrive in another order than they were written",
    room: "forwarder",
    text: "this.#queue.sort((a, b) => a.origin.sequence - b.origin.sequence || a.first - b.first);",
    instead: "",
  },
  {
    name: "a file on record not awaited",
    breaks: "a file that is renamed while the forwarder is down is sent twice",
    room: "forwarder",
    text: "await this.#registrar.record(sources);",
    instead: "break;",
  },
  {
    name: "Docker's sweep off",
    breaks: "a container whose end was not announced counts as running for ever",
    room: "agent",
    text: "if (this.#supervisor.trouble === undefined) void sweep(this.#tracked.values(), engine, log);",
    instead: "",
  },
  {
    name: "an illegal move of a task",
    breaks: "a task that ended comes back to life in the agent's books",
    room: "agent",
    text: "if (!TASK_MOVES[record.bucket].includes(to)) {",
    instead: "if (TASK_MOVES[record.bucket] === undefined) {",
  },
  {
    name: "a TERMINATING executor shut down twice",
    breaks: "each repetition gives an executor that hangs its grace anew",
    room: "agent",
    text: 'if (executor.state === "TERMINATING" || executor.state === "TERMINATED") return;\n    moveExecutor(executor, "TERMINATING");',
    instead: 'if (executor.state === "TERMINATED") return;\n    moveExecutor(executor, "TERMINATING");',
  },
  {
    name: "a status sent while its acknowledgement is written",
    breaks: "after a crash in that moment an acknowledged update is sent once more, after a later one",
    room: "agent",
    text: "if (entry.acknowledging > 0 || entry.unwritten.has(item)) return;",
    instead: "if (entry.unwritten.has(item)) return;",
  },
  {
    name: "SIGKILL not repeated",
    breaks: "a process that was forked in the moment of the kill lives on",
    room: "agent",
    text: "void this.#kill(entry, Math.min(wait * 2, LONGEST_REPEAT));",
    instead: "",
  },
];
