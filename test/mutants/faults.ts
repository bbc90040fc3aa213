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
    text: "every(clock, SWEEP_EVERY, () => void this.#sweep());",
    instead: "every(clock, SWEEP_EVERY, () => undefined);",
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
    text: "this.#kill(entry, Math.min(wait * 2, LONGEST_REPEAT));",
    instead: "",
  },
];
