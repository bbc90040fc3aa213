import {
  type CommandInfo,
  type ContainerID,
  ContainerInfo_Type,
  type ExecutorInfo,
  type FrameworkInfo,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { chainOf } from "../model/nested.ts";
import type { Acls } from "./acls.ts";
import { type ActionName, type AgentAction, actions, type ContainerAction } from "./actions.ts";
import { allowsEverything, decide } from "./decide.ts";
import { commandUser, executorUser } from "./objects.ts";
import type { Subject } from "./subject.ts";

/** A container inside another one, as a call names it. */
export interface AskedContainer {
  readonly id: ContainerID;
  /** The executor at the root of its id; undefined: there is none that the agent knows. */
  readonly executor:
    | {
        readonly info: ExecutorInfo;
        readonly framework: FrameworkInfo;
        /** Of its tasks: a master let the framework run something as each of them. */
        readonly taskUsers: readonly string[];
      }
    | undefined;
  /** What is to be launched in it; its user is asked for too. */
  readonly command?: CommandInfo | undefined;
}

/** What one subject may do. Nothing here is remembered: the agent's records change. */
export interface Approver {
  /**
   * Whether the action is allowed on the object: a user, role, path or principal, as the action's row has it. undefined: the
   * object is not known, or the action's objects cannot be named.
   */
  allows(action: AgentAction, object?: string): boolean;
  /** Whether there is no object that the subject may not see or do this to. */
  allowsEverything(action: AgentAction): boolean;
  allowsOn(action: ContainerAction, container: AskedContainer): boolean;
  /** Whether a container that belongs to no framework may be used so. */
  allowsAlone(action: AgentAction): boolean;
}

/** The rules of a file, for a name or for nobody's. */
class RuleApprover implements Approver {
  readonly #acls: Acls;
  readonly #subject: string | undefined;

  constructor(acls: Acls, subject: string | undefined) {
    this.#acls = acls;
    this.#subject = subject;
  }

  allows(action: AgentAction, object?: string): boolean {
    const { kind } = actions[action];
    const isRole = kind === "role";
    return this.#decide(action, kind === "implicit" ? undefined : object, isRole);
  }

  allowsEverything(action: AgentAction): boolean {
    return allowsEverything(this.#acls.rules.get(action) ?? [], this.#acls.permissive, this.#subject);
  }

  allowsOn(action: ContainerAction, { id, executor, command }: AskedContainer): boolean {
    const parent = executor && executorUser(executor.info, executor.framework);
    if (action === "launch_nested_containers" || action === "launch_nested_container_sessions") {
      const above = this.#decide(`${action}_under_parent_with_user`, parent);
      return above && (executor === undefined || this.#decide(`${action}_as_user`, commandUser(command)));
    }
    // Without an executor Mesos takes the id for a user. It is nobody's.
    return this.#decide(action, parent ?? (action.startsWith("attach_") ? undefined : id.value));
  }

  allowsAlone(action: AgentAction): boolean {
    return this.#decide(action, undefined);
  }

  #decide(action: ActionName, object: string | undefined, isRole = false): boolean {
    const { rules, permissive } = this.#acls;
    return decide(rules.get(action) ?? [], permissive, { subject: this.#subject, object, isRole });
  }
}

/** What executors do with their containers; whatever else is asked, their token allows nothing. */
const EXECUTORS_OWN: ReadonlySet<ContainerAction> = new Set([
  "launch_nested_containers",
  "launch_nested_container_sessions",
  "wait_nested_containers",
  "kill_nested_containers",
  "remove_nested_containers",
  "attach_containers_output",
]);

/**
 * An executor that showed its token: its own container and what is below it, whatever the file says. It runs nothing there as a
 * user whom nobody gave it: its token would make root of whoever it runs as.
 */
class ExecutorApprover implements Approver {
  readonly #containerId: string;

  constructor(containerId: string) {
    this.#containerId = containerId;
  }

  allows(): boolean {
    return false;
  }

  allowsEverything(): boolean {
    return false;
  }

  allowsOn(action: ContainerAction, { id, executor, command }: AskedContainer): boolean {
    if (!EXECUTORS_OWN.has(action) || chainOf(id)[0] !== this.#containerId) return false;
    const wanted = commandUser(command);
    if (wanted === undefined || wanted === "") return true;
    // Docker runs it as the user of its image, whatever its framework's is: nobody gave it another.
    if (executor?.info.container?.type === ContainerInfo_Type.DOCKER) return false;
    const own = executor && executorUser(executor.info, executor.framework);
    return own === "root" || wanted === own || (executor?.taskUsers.includes(wanted) ?? false);
  }

  allowsAlone(): boolean {
    return false;
  }
}

/** undefined: without a file everything is allowed, but to executors that show a token. */
export function approverOf(acls: Acls | undefined, subject: Subject): Approver | undefined {
  if (subject?.kind === "executor") return new ExecutorApprover(subject.claims.containerId);
  return acls && new RuleApprover(acls, subject?.name);
}
