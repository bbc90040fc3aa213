import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TaskInfoSchema, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";

export type TaskInit = Omit<MessageInitShape<typeof TaskInfoSchema>, "$typeName" | "$unknown">;
type StateName = keyof typeof TaskState;

/** What Mesos' rules say becomes of a task. */
export interface Expected {
  /** Every state in order; neighbours that are the same count once. */
  readonly states: readonly StateName[];
  /** Of the last status; a text is the whole of it. */
  readonly message?: string | RegExp;
  readonly reason?: keyof typeof TaskStatus_Reason;
  /** What its stdout ends with. */
  readonly stdout?: string;
  /** `healthy` of the last status. */
  readonly healthy?: boolean;
}

/** One odd but legal task. */
export interface Case {
  /** Says what is odd; no other case of the table has it. */
  readonly name: string;
  /** Without agent and, unless the id is what is odd, without id. */
  readonly task: Partial<TaskInit>;
  /** In an operation of its own: masters refuse all tasks of one for the resources of any. */
  readonly alone?: true;
  /** Killed as soon as it runs, or as soon as it has said this: what it does with a signal it says before it is ready for one. */
  readonly kill?: true | { readonly after: string };
  readonly expected: Expected;
  /** Where ours is better than C++'s on purpose: how, and why. The peers are not compared in it. */
  readonly better?: string;
}

export const FINISHED: Expected = {
  states: ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"],
  message: "Command exited with status 0",
};
export const failed = (message: string | RegExp): Expected => ({
  states: ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"],
  message,
});
export const killed = (message: string | RegExp): Expected => ({
  states: ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"],
  message,
});
/** It never ran. */
export const refused = (message: RegExp): Expected => ({ states: ["TASK_FAILED"], message });
export const says = (stdout: string): Expected => ({ ...FINISHED, stdout });

export const shell = (value: string): Pick<TaskInit, "command"> => ({ command: { value, shell: true } });
export const exec = (value: string, ...words: string[]): Pick<TaskInit, "command"> => ({
  command: { value, shell: false, arguments: words },
});

/** A name for a value that may be long or unprintable. */
export function shown(value: string): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 30)}… (${value.length})` : text;
}
