/** What a token says of the executor that shows it. */
export interface ExecutorClaims {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
}

/** Who asks. undefined: somebody without a name, because none was asked for. */
export type Subject =
  | { readonly kind: "principal"; readonly name: string }
  | { readonly kind: "executor"; readonly claims: ExecutorClaims }
  | undefined;

/** For the log: ids and names of others are quoted, so that they cannot look like words of ours. */
export function subjectText(subject: Subject): string {
  if (subject === undefined) return "somebody without a name";
  if (subject.kind === "principal") return `principal ${JSON.stringify(subject.name)}`;
  const { frameworkId, executorId, containerId } = subject.claims;
  return `executor ${JSON.stringify(executorId)} of framework ${JSON.stringify(frameworkId)} (container ${JSON.stringify(containerId)})`;
}
