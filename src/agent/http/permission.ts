import { type Answer, text } from "../../http/answer.ts";
import type { ContainerID } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { AccessControl, Realm } from "../authorization/access.ts";
import type { AgentAction, Ask } from "../authorization/actions.ts";
import type { Approver, AskedContainer } from "../authorization/approver.ts";
import type { Authorizer } from "../authorization/authorizer.ts";
import { executorUser, taskUser } from "../authorization/objects.ts";
import type { Refusals } from "../authorization/refusals.ts";
import type { Subject } from "../authorization/subject.ts";
import { chainOf, chainText } from "../model/nested.ts";
import type { ShownFiles } from "./files/attached.ts";
import { PermittedFiles } from "./permitted/files.ts";
import { permittedView } from "./permitted/view.ts";
import type { AgentView } from "./view.ts";

/** What a request is about, as far as it is decided by that. */
export interface Wanted {
  /** Of a page, as get_endpoints names it. */
  readonly path?: string;
  /** Of a call: the container that it names, and what it launches there. */
  readonly container?: { readonly id: ContainerID; readonly command: AskedContainer["command"] };
}

/** What one request may see and do. The pages are made of `view` and `files`, and know of no rules. */
export interface Permission {
  readonly subject: Subject;
  readonly view: AgentView;
  readonly files: ShownFiles;
  /** The 403 for what is not allowed; undefined: go on. */
  refusal(ask: Ask, wanted: Wanted): Answer | undefined;
}

export interface PermittingOptions {
  readonly access: Pick<AccessControl, "admit">;
  readonly authorizer: Authorizer;
  readonly refusals: Refusals | undefined;
  readonly view: AgentView;
  readonly files: ShownFiles;
}

/** From a request's header to what it may do: the only place where pages and calls are held against the rules. */
export class Permitting {
  readonly #options: PermittingOptions;
  readonly #everything: Permission;
  /** Views are kept with their approvers, so that those who ask for /state at the same time share one answer. */
  readonly #views = new WeakMap<Approver, AgentView>();

  constructor(options: PermittingOptions) {
    this.#options = options;
    const { view, files } = options;
    this.#everything = { subject: undefined, view, files, refusal: () => undefined };
  }

  /** Who has no realm to enter is nobody. An answer: the request is refused, with 401. */
  async admit(
    realm: Realm | undefined,
    header: string | undefined,
    from: string | undefined,
  ): Promise<Permission | { readonly answer: Answer }> {
    const admission =
      realm === undefined ? { subject: undefined } : await this.#options.access.admit(realm, header, from);
    if ("refused" in admission) return { answer: unauthorized(admission.challenge) };
    const approver = this.#options.authorizer.approverOf(admission.subject);
    return approver === undefined
      ? { ...this.#everything, subject: admission.subject }
      : this.#limited(admission.subject, approver);
  }

  #limited(subject: Subject, approver: Approver): Permission {
    const { view, files, refusals } = this.#options;
    let shown = this.#views.get(approver);
    if (shown === undefined) {
      shown = permittedView(view, files, approver);
      this.#views.set(approver, shown);
    }
    return {
      subject,
      view: shown,
      files: new PermittedFiles(files, approver, (action, path) => refusals?.forbidden(subject, action, path)),
      refusal: (ask, wanted) => {
        const refused = refusedBy(ask, wanted, approver, view);
        if (refused === undefined) return undefined;
        refusals?.forbidden(subject, refused.action, refused.object);
        return text(403, "");
      },
    };
  }
}

function unauthorized(challenge: readonly string[] | undefined): Answer {
  if (challenge === undefined) return text(503, "Too many passwords are being checked\n");
  return text(401, "", { "www-authenticate": challenge.join(", ") });
}

interface Refused {
  readonly action: string;
  readonly object: string | undefined;
}

/** What is not allowed of an ask; undefined when it is. What is shown is decided where it is shown. */
function refusedBy(ask: Ask, wanted: Wanted, approver: Approver, view: AgentView): Refused | undefined {
  switch (ask.kind) {
    case "refuses": {
      const object = ask.action === "get_endpoints" ? wanted.path : undefined;
      return approver.allows(ask.action, object) ? undefined : { action: ask.action, object };
    }
    case "container":
      return wanted.container && refusedContainer(ask, wanted.container, approver, view);
    case "owned":
      return wanted.container && refusedOwned(ask, wanted.container, approver, view);
    case "nothing":
    case "file":
    case "shows":
    case "call":
    case "executor":
      return undefined;
  }
}

type ContainerAsk = Extract<Ask, { kind: "container" }>;

function refusedContainer(
  { nested, alone }: ContainerAsk,
  { id, command }: NonNullable<Wanted["container"]>,
  approver: Approver,
  view: AgentView,
): Refused | undefined {
  const chain = chainOf(id);
  const object = chainText(chain);
  const owner = view.containers.ownerOf(chain);
  if (alone !== undefined && id.parent === undefined) {
    const refused = refusedUnless(approver.allowsAlone(alone), alone, object);
    // Without a parent it may be an executor's own, which stands no more alone than what is in it.
    if (refused !== undefined || owner === undefined) return refused;
  }
  const executor = owner && askedExecutor(owner);
  // What is not there cannot be attached to, whoever asks: the call says so. A session needs no executor to be there.
  if (
    executor === undefined &&
    nested.startsWith("attach_") &&
    view.containers.sessions(chain)?.of(chain) === undefined
  )
    return undefined;
  return refusedUnless(approver.allowsOn(nested, { id, executor, command }), nested, object);
}

/** By the user of its executor, also of one that is over: who may see or end what is another's may this. An executor's token may not. */
function refusedOwned(
  { action, alone }: Extract<Ask, { kind: "owned" }>,
  { id }: NonNullable<Wanted["container"]>,
  approver: Approver,
  view: AgentView,
): Refused | undefined {
  const chain = chainOf(id);
  const owner = view.containers.everOwnerOf(chain);
  if (owner === undefined) return refusedUnless(approver.allows(alone), alone, chainText(chain));
  const user = executorUser(owner.executor.info, owner.framework.info);
  return refusedUnless(approver.allows(action, user), action, chainText(chain));
}

const askedExecutor = ({
  framework: { info: framework },
  executor: { info, tasks },
}: NonNullable<ReturnType<AgentView["containers"]["ownerOf"]>>): NonNullable<AskedContainer["executor"]> => ({
  info,
  framework,
  taskUsers: [...tasks.values()].map(({ task }) => taskUser(task, framework)),
});

const refusedUnless = (isAllowed: boolean, action: AgentAction | ContainerAsk["nested"], object: string) =>
  isAllowed ? undefined : { action, object };
