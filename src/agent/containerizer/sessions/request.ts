import type { WindowSize } from "../../model/session.ts";
import { frame, identityFields, listFields, type ProcessRequest, programFields } from "../mesos/request.ts";

/** A process for a session's supervisor to start. */
export interface SessionRequest
  extends Pick<ProcessRequest, "cwd" | "user" | "controlGroups" | "file" | "argv" | "environment"> {
  /** With a terminal of this size; undefined: with pipes. */
  readonly window: WindowSize | undefined;
  /** The process whose namespaces it enters. */
  readonly namespacesOf: number | undefined;
}

/** The frame that starts it. Throws a RangeError that says what cannot be passed to a process. */
export function sessionFrame(request: SessionRequest): Buffer {
  const { window, namespacesOf } = request;
  const size = window === undefined ? ["", ""] : [`${window.rows}`, `${window.columns}`];
  const place = [request.cwd, ...identityFields(request.user), ...size, `${namespacesOf ?? ""}`];
  return frame([...place, ...listFields(request.controlGroups), ...programFields(request)]);
}
