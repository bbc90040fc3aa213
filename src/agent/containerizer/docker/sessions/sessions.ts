import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../../../base/clock.ts";
import { within } from "../../../../base/deadline.ts";
import { messageOf, UserError } from "../../../../base/errors.ts";
import type { Logger } from "../../../../base/log.ts";
import { SerialQueue } from "../../../../base/serial-queue.ts";
import type { Engine } from "../../../../docker/engine.ts";
import { isDaemonTrouble, isEngineError } from "../../../../docker/errors.ts";
import { outputsOf } from "../../../../docker/output-streams.ts";
import {
  type CommandInfo,
  type ContainerStatus,
  ContainerStatusSchema,
} from "../../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../../../mesos/secrets.ts";
import type { ContainerTermination } from "../../../model/container.ts";
import { TaskFailure, Unavailable } from "../../../model/failure.ts";
import {
  type ContainerChain,
  chainText,
  containerIdOf,
  type KeptContainers,
  keyOf,
  type NestedContainer,
} from "../../../model/nested.ts";
import type {
  InputAttachment,
  OutputAttachment,
  Session,
  SessionOrder,
  SessionProcess,
  Sessions,
} from "../../../model/session.ts";
import type { ProcessTable } from "../../mesos/process-table.ts";
import { commandLine } from "../../mesos/request.ts";
import { sessionCommandOf } from "../../nested/plan.ts";
import { inputAttachment, outputAttachment } from "../../sessions/attachment.ts";
import { newestOnly } from "../../sessions/newest.ts";
import { OpenSession, writeTo } from "../../sessions/session.ts";
import { windowOf } from "../../sessions/window.ts";
import type { StateFiles } from "../state-files.ts";
import type { TrackedContainer } from "../tracked-container.ts";
import { startExec } from "./exec-process.ts";
import { type MarkedPlace, MarkedProcesses, markPrefix } from "./marked-processes.ts";

export interface DockerSessionsOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Logger;
  /** The containers of tasks, by their ids. */
  readonly containers: ReadonlyMap<string, TrackedContainer>;
  readonly state: Pick<StateFiles, "sessionUsers" | "saveSessionUsers">;
  readonly table: ProcessTable;
  /** `--switch_user`, and the agent is root: a command's own user counts. */
  readonly switchesUser: boolean;
}

/** Sessions that have ended are remembered for who asks how; of each container so many, the newest. */
const MOST_ENDED = 256;
/** Milliseconds that sessions may take to end when the agent does. */
const CLOSING = 5_000;
const SIGKILL = 9;

interface Entry {
  readonly chain: ContainerChain;
  readonly process: Promise<SessionProcess>;
  readonly termination: Promise<ContainerTermination>;
  session: Session | undefined;
  isLive: boolean;
}

/** Sessions in Docker containers: execs of the Engine, as the container's own user, in its environment and folder. */
export class DockerSessions implements Sessions, KeptContainers {
  readonly #options: DockerSessionsOptions;
  readonly #processes: MarkedProcesses;
  readonly #entries = new Map<string, Entry>();
  /** Containers whose own input somebody writes. */
  readonly #writers = new Set<string>();
  /** As whom sessions were opened, by container. */
  readonly #users = new Map<string, Set<string | undefined>>();
  /** One after the other: of two at once neither forgets the other's user. */
  readonly #keeping = new SerialQueue();

  constructor(options: DockerSessionsOptions) {
    this.#options = options;
    this.#processes = new MarkedProcesses(options);
  }

  of(chain: ContainerChain): Session | undefined {
    return this.#entries.get(keyOf(chain))?.session;
  }

  async open(order: SessionOrder): Promise<Session | "already"> {
    const { chain } = order;
    if (this.#entries.get(keyOf(chain))?.isLive) return "already";
    const [id] = chain;
    const container = this.#running(id);
    if (container === undefined) throw TaskFailure.launch(`Parent container ${id} is not running`);
    if (chain.length !== 2)
      throw TaskFailure.launch(`Parent container ${chainText(chain.slice(0, -1) as never)} is no container of a task`);
    const starting = this.#start(order, container);
    const entry = this.#add(chain, starting);
    try {
      const process = await starting;
      return this.#opened(entry, process);
    } catch (error) {
      this.#options.log.warn(`Failed to open the session ${chainText(chain)}: ${messageOf(error)}`);
      this.#entries.delete(keyOf(chain));
      throw failureOf(error);
    }
  }

  #running(id: string): TrackedContainer | undefined {
    const container = this.#options.containers.get(id);
    return container?.isOver === false && container.engineId !== undefined ? container : undefined;
  }

  async #start(order: SessionOrder, container: TrackedContainer): Promise<SessionProcess> {
    const command = sessionCommandOf(order);
    const [id] = order.chain;
    const user = this.#options.switchesUser && command.user ? command.user : undefined;
    await this.#keepUser(id, user);
    return await startExec(
      {
        place: placeOf(container, user),
        mark: `${markPrefix(id)}${randomUUID()}`,
        argv: argumentsOf(command),
        environment: variablesOf(command.environment),
        window: windowOf(order),
      },
      { ...this.#options, processes: this.#processes },
    );
  }

  /** Before anything of it runs: an agent after this one ends what this one leaves. */
  async #keepUser(id: string, user: string | undefined): Promise<void> {
    await this.#keeping.add(async () => {
      const users = this.#users.get(id) ?? new Set(await this.#options.state.sessionUsers(id));
      if (users.has(user)) return;
      await this.#options.state.saveSessionUsers(id, [...users, user]);
      this.#users.set(id, users.add(user));
    });
  }

  #add(chain: ContainerChain, process: Promise<SessionProcess>): Entry {
    const termination = process.then((running) => running.termination);
    termination.catch(() => undefined);
    const entry: Entry = { chain, process, termination, session: undefined, isLive: true };
    this.#entries.delete(keyOf(chain));
    this.#entries.set(keyOf(chain), entry);
    this.#forgetOld(chain[0]);
    return entry;
  }

  #forgetOld(id: string): void {
    const over = [...this.#entries].filter(([, { chain, isLive }]) => chain[0] === id && !isLive);
    for (const [key] of over.slice(0, -MOST_ENDED)) this.#entries.delete(key);
  }

  #opened(entry: Entry, process: SessionProcess): Session {
    const session = new OpenSession(process);
    entry.session = session;
    void process.termination.then(() => {
      entry.isLive = false;
    });
    void session.ended.then(() => {
      entry.session = undefined;
    });
    return session;
  }

  async attachOutput(chain: ContainerChain): Promise<OutputAttachment | undefined> {
    const found = this.#attachable(chain);
    if (found === undefined) return undefined;
    const { containerId, engineId, details } = found;
    const connection = await this.#connect(engineId, "output");
    return outputAttachment({ containerId, connection, ...outputsOf(connection, details.tty) }, this.#options);
  }

  async attachInput(chain: ContainerChain): Promise<InputAttachment | undefined> {
    const found = this.#attachable(chain);
    if (found === undefined) return undefined;
    const { containerId, engineId, details, ended } = found;
    const { engine, clock, log } = this.#options;
    if (!details.readsInput)
      throw new UserError(
        `Container ${containerId} reads no input: its task has neither tty_info nor the parameter 'interactive'`,
      );
    const connection = await this.#connect(engineId, "input");
    const { tty: hasTerminal } = details;
    return inputAttachment({
      ...{ clock, containerId, connection, hasTerminal, ended, writers: this.#writers },
      write: (data) => writeTo(connection, data),
      resize: newestOnly((size) =>
        engine.resize(engineId, size).catch((error: unknown) => {
          log.verbose(1, `The terminal of ${containerId} keeps its size: ${messageOf(error)}`);
        }),
      ),
    });
  }

  async #connect(engineId: string, direction: "input" | "output"): Promise<Duplex> {
    try {
      return await this.#options.engine.connect(engineId, direction);
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** A task's own container, as it is attached to. */
  #attachable([containerId, ...below]: ContainerChain) {
    const container = below.length === 0 ? this.#running(containerId) : undefined;
    const { engineId, details, over: ended } = container ?? {};
    if (engineId === undefined || details === undefined || ended === undefined) return undefined;
    return { containerId, engineId, details, ended };
  }

  // ---- as containers that are asked about

  wait(chain: ContainerChain): Promise<ContainerTermination> | undefined {
    if (chain.length === 1) return this.#options.containers.get(chain[0])?.over;
    return this.#entries.get(keyOf(chain))?.termination;
  }

  async kill(chain: ContainerChain, signal: number): Promise<boolean> {
    const entry = this.#entries.get(keyOf(chain));
    if (entry === undefined || !entry.isLive) return false;
    this.#options.log.info(`Sending signal ${signal} to container ${chainText(chain)}`);
    const process = await entry.process.catch(() => undefined);
    if (signal === SIGKILL) process?.kill();
    else process?.signal(signal);
    return process !== undefined;
  }

  async remove(chain: ContainerChain): Promise<void> {
    const entry = this.#entries.get(keyOf(chain));
    if (chain.length === 1) throw new UserError(`Container ${chain[0]} is that of an executor`);
    if (entry?.isLive) throw new UserError("Nested container has not terminated yet");
    this.#entries.delete(keyOf(chain));
  }

  list(): readonly NestedContainer[] {
    return [...this.#entries.values()]
      .filter(({ isLive }) => isLive)
      .map(({ chain }) => ({ chain, isStandalone: false }));
  }

  /** It is measured with the container that it is in. */
  async usage(): Promise<undefined> {
    return undefined;
  }

  async status(chain: ContainerChain): Promise<ContainerStatus | undefined> {
    if (!this.#entries.get(keyOf(chain))?.isLive) return undefined;
    return create(ContainerStatusSchema, { containerId: containerIdOf(chain) });
  }

  // ---- over the life of the containers

  /** Ends what an agent that was killed has left of its sessions in a container that was found again. */
  async endLeft(containerId: string): Promise<void> {
    const users = await this.#options.state.sessionUsers(containerId);
    const container = users.length === 0 ? undefined : this.#running(containerId);
    if (container === undefined) return;
    this.#options.log.info(`Ending what is left of sessions in container ${containerId}`);
    for (const user of users) await this.#processes.end(placeOf(container, user), markPrefix(containerId));
  }

  /** A container is forgotten, and its sessions, which have ended with it. */
  forget(containerId: string): void {
    this.#users.delete(containerId);
    for (const [key, { chain }] of this.#entries) if (chain[0] === containerId) this.#entries.delete(key);
    const engineId = this.#options.containers.get(containerId)?.engineId;
    if (engineId !== undefined) this.#processes.forget(engineId);
  }

  /** Sessions end with the agent, which has their other end. */
  async close(): Promise<void> {
    const live = [...this.#entries.values()].filter(({ isLive }) => isLive);
    const ended = live.map(async ({ process, termination }) => {
      const running = await process.catch(() => undefined);
      running?.kill();
      await termination.catch(() => undefined);
    });
    await within(this.#options.clock, CLOSING, Promise.all(ended), undefined);
  }
}

/** A daemon that refuses has its reasons; one that is away may come back. */
function failureOf(error: unknown): unknown {
  if (isEngineError(error, "refused")) return TaskFailure.launch(error.message, { cause: error });
  return isDaemonTrouble(error) ? new Unavailable(messageOf(error), { cause: error }) : error;
}

const placeOf = ({ engineId = "", details }: TrackedContainer, user: string | undefined): MarkedPlace => ({
  engineId,
  pid: details?.state.pid,
  user,
});

/** The Engine knows no other name of a program than its file's: that of a command (`argv[0]`) is left out. */
function argumentsOf(command: CommandInfo): string[] {
  const { file, argv } = commandLine(command);
  return [command.shell ? "sh" : file, ...argv.slice(1)];
}
