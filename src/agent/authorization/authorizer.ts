import type { Acls } from "./acls.ts";
import { type Approver, approverOf } from "./approver.ts";
import type { Subject } from "./subject.ts";

/** Names whose approvers are kept; then all are made anew. */
const MOST_KEPT = 1_000;
const NOBODY = "";

/** The rules in force. One approver for each name as long as they are the same: what is computed for it can be kept with it. */
export class Authorizer {
  #acls: Acls | undefined;
  #approvers = new Map<string, Approver | undefined>();

  constructor(acls: Acls | undefined) {
    this.#acls = acls;
  }

  /** From now on these rules; undefined: none, and everything is allowed. */
  replace(acls: Acls | undefined): void {
    this.#acls = acls;
    this.#approvers = new Map();
  }

  approverOf(subject: Subject): Approver | undefined {
    if (subject?.kind === "executor") return approverOf(this.#acls, subject);
    if (this.#acls === undefined) return undefined;
    const key = subject === undefined ? NOBODY : `p${subject.name}`;
    const known = this.#approvers.get(key);
    if (known !== undefined) return known;
    if (this.#approvers.size >= MOST_KEPT) this.#approvers.clear();
    const made = approverOf(this.#acls, subject);
    this.#approvers.set(key, made);
    return made;
  }
}
