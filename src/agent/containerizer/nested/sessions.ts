import type { Socket } from "node:net";
import type { Clock } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { variablesOf } from "../../../mesos/secrets.ts";
import { DEFAULT_PATH } from "../../model/default-path.ts";
import { TaskFailure } from "../../model/failure.ts";
import { workingPlace } from "../../model/held/sandbox.ts";
import type { Isolation } from "../../model/isolation.ts";
import { type ContainerChain, chainText, keyOf } from "../../model/nested.ts";
import type {
  InputAttachment,
  OutputAttachment,
  Session,
  SessionOrder,
  SessionProcess,
  Sessions,
} from "../../model/session.ts";
import type { Accounts } from "../../users/accounts.ts";
import { commandLine } from "../mesos/request.ts";
import { connectTerminal, sizeFrame, typedFrames } from "../mesos/terminal.ts";
import { inputAttachment, outputAttachment } from "../sessions/attachment.ts";
import { newestOnly } from "../sessions/newest.ts";
import { type SessionHost, startSession } from "../sessions/process.ts";
import { OpenSession, writeTo } from "../sessions/session.ts";
import { TERMINAL_ENVIRONMENT, windowOf } from "../sessions/window.ts";
import { parentsOf } from "./parents.ts";
import { sessionCommandOf, userOf } from "./plan.ts";
import type { ContainerNode, ContainerTree } from "./tree.ts";

export interface MesosSessionsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly tree: ContainerTree;
  readonly accounts: Accounts;
  readonly switchesUser: boolean;
  readonly host: SessionHost;
  readonly confinement: Isolation["confinement"];
  readonly processes: {
    /** As a container's first process was given it. */
    environment(containerId: string): Readonly<Record<string, string>> | undefined;
    /** Its first process, while it runs. */
    pid(containerId: string): number | undefined;
    /** The folder in which its shim listens; undefined: it has no terminal, or does not run. */
    terminal(containerId: string): string | undefined;
  };
  readonly start?: typeof startSession;
}

/** A connection with a terminal whose shim may end in this moment, or may have been killed. */
async function reach(chain: ContainerChain, folder: string, what: "output" | "input"): Promise<Socket> {
  try {
    return await connectTerminal(folder, what);
  } catch (error) {
    const why = `The terminal of container ${chainText(chain)} cannot be reached: ${messageOf(error)}`;
    throw TaskFailure.launch(why, { cause: error });
  }
}

/**
 * Sessions in containers of the mesos containerizer: in the parent's namespaces, control groups, environment and sandbox, as
 * its user. They end with the agent, which has their other end.
 */
export class MesosSessions implements Sessions {
  readonly #options: MesosSessionsOptions;
  readonly #open = new Map<string, Session>();
  /** Containers whose terminal somebody types on. */
  readonly #writers = new Set<string>();

  constructor(options: MesosSessionsOptions) {
    this.#options = options;
  }

  of(chain: ContainerChain): Session | undefined {
    return this.#open.get(keyOf(chain));
  }

  async open(order: SessionOrder): Promise<Session | "already"> {
    const { tree, log } = this.#options;
    const { chain } = order;
    const before = tree.get(chain);
    if (before?.isLive) return "already";
    const { parent } = parentsOf(tree, chain);
    if (parent === undefined) throw TaskFailure.launch("A session needs a container to be in");
    if (before !== undefined) tree.remove(before);
    const process = Promise.withResolvers<SessionProcess>();
    process.promise.catch(() => undefined);
    const node = tree.add({
      ...{ chain, kind: "session", place: parent.place, user: parent.user, groupsOf: parent.groupsOf },
      kill: () => void process.promise.then((running) => running.kill()).catch(() => undefined),
      signal: (signal) => void process.promise.then((running) => running.signal(signal)).catch(() => undefined),
    });
    try {
      const running = await this.#start(order, parent);
      process.resolve(running);
      if (node.phase === "launching") node.move("running");
      return this.#opened(node, running);
    } catch (error) {
      process.reject(error);
      log.warn(`Failed to open the session ${chainText(chain)}: ${messageOf(error)}`);
      node.ended({ status: undefined, message: messageOf(error) });
      tree.remove(node);
      throw error;
    }
  }

  async #start(order: SessionOrder, parent: ContainerNode): Promise<SessionProcess> {
    const { accounts, switchesUser, confinement, processes, host, start = startSession } = this.#options;
    const command = sessionCommandOf(order);
    const beside = processes.pid(parent.key);
    // Without one it would be in none of the container's namespaces, and nothing would end it with the container.
    if (beside === undefined && !parent.isProcessless)
      throw TaskFailure.launch(`Parent container ${chainText(parent.chain)} has no process yet, or no more`);
    const name = userOf(command, parent, switchesUser);
    const own = processes.environment(parent.key) ?? { PATH: DEFAULT_PATH, MESOS_SANDBOX: parent.place.sandbox };
    const user = name === undefined ? undefined : await accounts.of(name);
    const window = windowOf(order);
    // Held even where nobody else owns what is on the way: in the task's own mounts the same name may lead elsewhere.
    using place = workingPlace({ ...parent.place, within: parent.place.within ?? parent.place.sandbox });
    return await start(
      keyOf(order.chain),
      {
        ...{ cwd: place.cwd, user, controlGroups: confinement(parent.groupsOf).controlGroups },
        ...commandLine(command),
        environment: { ...(window && TERMINAL_ENVIRONMENT), ...own, ...variablesOf(command.environment) },
        window,
        namespacesOf: beside,
      },
      host,
    );
  }

  async attachOutput(chain: ContainerChain): Promise<OutputAttachment | undefined> {
    const folder = this.#options.processes.terminal(keyOf(chain));
    if (folder === undefined) return undefined;
    const connection = await reach(chain, folder, "output");
    const containerId = chainText(chain);
    return outputAttachment({ containerId, connection, stdout: connection, stderr: undefined }, this.#options);
  }

  async attachInput(chain: ContainerChain): Promise<InputAttachment | undefined> {
    const { processes, tree, clock } = this.#options;
    const folder = processes.terminal(keyOf(chain));
    const node = tree.get(chain);
    if (folder === undefined || node === undefined) return undefined;
    const connection = await reach(chain, folder, "input");
    return inputAttachment({
      ...{
        containerId: node.key,
        connection,
        hasTerminal: true,
        ended: node.termination,
        writers: this.#writers,
        clock,
      },
      write: (data) => writeTo(connection, typedFrames(data)),
      resize: newestOnly((size) => writeTo(connection, sizeFrame(size))),
    });
  }

  #opened(node: ContainerNode, running: SessionProcess): Session {
    const session = new OpenSession(running);
    this.#open.set(node.key, session);
    void running.termination.then((termination) => node.ended(termination));
    void session.ended.then(() => this.#open.delete(node.key));
    return session;
  }
}
