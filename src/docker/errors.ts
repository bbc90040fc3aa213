import { codeOf, messageOf } from "../base/errors.ts";

/**
 * Why a call to the Docker daemon failed.
 * - `unreachable`: no connection, or it broke; a request may or may not have been carried out.
 * - `timeout`: no answer within the call's deadline.
 * - `refused`: the daemon answered with an error; `status` and its own words are in the message.
 * - `protocol`: an answer that this client cannot read.
 * - `aborted`: the caller gave up.
 */
export type EngineErrorKind = "unreachable" | "timeout" | "refused" | "protocol" | "aborted";

export class EngineError extends Error {
  readonly kind: EngineErrorKind;
  /** HTTP status, when the daemon answered. */
  readonly status: number | undefined;

  constructor(kind: EngineErrorKind, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.name = "EngineError";
    this.kind = kind;
    this.status = options.status;
  }
}

export function isEngineError(error: unknown, kind: EngineErrorKind): error is EngineError {
  return error instanceof EngineError && error.kind === kind;
}

/** The daemon said that the thing does not exist. */
export const isNotFound = (error: unknown): boolean => isEngineError(error, "refused") && error.status === 404;

/** The daemon said that the thing exists already, or is not in a state for it. */
export const isConflict = (error: unknown): boolean => isEngineError(error, "refused") && error.status === 409;

/** The daemon is away or silent: it may answer later. */
export const isDaemonTrouble = (error: unknown): boolean =>
  error instanceof EngineError && (error.kind === "unreachable" || error.kind === "timeout");

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: "the socket does not exist: is Docker running, and is the socket mounted into this container?",
  EACCES: "permission denied: the agent must run as root or belong to the socket's group",
  ECONNREFUSED: "nobody listens: is Docker running?",
};

/** An error of the connection as an EngineError, with a hint for what people meet most. */
export function connectionError(endpoint: string, call: string, error: unknown): EngineError {
  const hint = HINTS[codeOf(error) ?? ""];
  const words = hint ?? messageOf(error);
  return new EngineError("unreachable", `cannot reach the Docker daemon at ${endpoint} for ${call}: ${words}`, {
    cause: error,
  });
}
