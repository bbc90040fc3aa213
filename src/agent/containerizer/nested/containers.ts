import { create } from "@bufbuild/protobuf";
import { messageOf, UserError } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { type ContainerStatus, ContainerStatusSchema, TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointedContainer, Containerizer, ContainerTermination } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { GarbageCollection } from "../../model/garbage-collection.ts";
import type { Limitation } from "../../model/isolation.ts";
import {
  type ContainerChain,
  chainText,
  containerIdOf,
  keyOf,
  type NestedContainer,
  type NestedContainers,
  type NestedOrder,
} from "../../model/nested.ts";
import type { UriFetcher } from "../../model/uri-fetcher.ts";
import { createNestedSandbox, removeNestedSandbox } from "../../sandbox/nested.ts";
import type { Accounts } from "../../users/accounts.ts";
import { parentsOf } from "./parents.ts";
import { environmentOf, leftRecordOf, recordOf, specOf } from "./plan.ts";
import type { NestedRecord } from "./record.ts";
import type { NestedRecords } from "./records.ts";
import type { ContainerNode, ContainerTree } from "./tree.ts";

/** What runs the processes, each container by its key. */
interface Processes
  extends Pick<Containerizer, "check" | "launch" | "wait" | "stop" | "destroy" | "remove" | "usage" | "status"> {
  /** To a container's first process; false: it has none. */
  signal(containerId: string, signal: number): boolean;
  pid(containerId: string): number | undefined;
  /** Whether something in its control groups ended because of a limit of theirs. */
  limitation(containerId: string): Limitation | undefined;
}

export interface NestedOptions {
  readonly log: Logger;
  readonly processes: Processes;
  readonly tree: ContainerTree;
  readonly records: NestedRecords;
  readonly fetcher: UriFetcher;
  readonly accounts: Accounts;
  readonly workDir: string;
  /** `--switch_user`, and the agent is root. */
  readonly switchesUser: boolean;
  /** `--gc_non_executor_container_sandboxes`: takes sandboxes of containers that stand alone; undefined: they stay. */
  readonly gc: GarbageCollection | undefined;
}

const SIGKILL = 9;

/** One that an earlier agent launched. */
type ExpectedContainer = CheckpointedContainer & { readonly node: ContainerNode };

/** Containers that the operator API launches: each a process tree of its own, in its parent's sandbox and control groups. */
export class Nested implements NestedContainers {
  readonly #options: NestedOptions;
  /** What is being forgotten, by key: its sandbox is not there for the next one yet. */
  readonly #forgetting = new Map<string, Promise<void>>();
  /** Sessions of an earlier agent: their clients are gone. */
  readonly #abandoned = new Set<ContainerNode>();

  constructor(options: NestedOptions) {
    this.#options = options;
  }

  async launch(order: NestedOrder, signal?: AbortSignal): Promise<"launched" | "already"> {
    const { tree, log } = this.#options;
    const { chain } = order;
    signal?.throwIfAborted();
    const before = tree.get(chain);
    if (before?.isLive) return "already";
    const parents = parentsOf(tree, chain);
    const record = recordOf(order, parents.root, parents.parent, this.#options);
    const forgotten = before === undefined ? this.#forgetting.get(keyOf(chain)) : this.#forget(before);
    if (forgotten !== undefined) {
      await forgotten;
      // Somebody else may have launched one meanwhile, and its parent may be gone.
      return await this.launch(order, signal);
    }
    const abort = new AbortController();
    const node = this.#add(record, () => {
      abort.abort(TaskFailure.launch(`Container ${chainText(chain)} was destroyed while it was being launched`));
      void this.#options.processes.destroy(keyOf(chain));
    });
    log.info(`Starting container ${chainText(chain)}`);
    try {
      await this.#start(record, parents.parent, signal ? AbortSignal.any([signal, abort.signal]) : abort.signal);
    } catch (error) {
      log.warn(`Failed to launch container ${chainText(chain)}: ${messageOf(error)}`);
      await tree.endWithin(node);
      node.ended({ status: undefined, message: messageOf(error) });
      tree.remove(node);
      this.#options.records.forget(node.key);
      throw error;
    }
    if (node.phase === "launching") node.move("running");
    this.#follow(node);
    return "launched";
  }

  #add({ order: { chain }, sandbox, within, user, groupsOf }: NestedRecord, kill: () => void): ContainerNode {
    const kind = chain.length === 1 ? "standalone" : "nested";
    return this.#options.tree.add({ chain, kind, place: { sandbox, within }, user, groupsOf, kill });
  }

  async #start(record: NestedRecord, parent: ContainerNode | undefined, signal: AbortSignal): Promise<void> {
    const { processes, records, accounts, fetcher, gc } = this.#options;
    const draft = specOf(record, parent);
    const spec = { ...draft, environment: environmentOf(draft.command, record.sandbox) };
    await processes.check(spec);
    const { user, containerId } = spec;
    const kept = gc?.unschedule(record.sandbox);
    if (kept !== undefined) await kept;
    createNestedSandbox(record, user === undefined ? undefined : await accounts.of(user));
    await records.write(containerId, record);
    const { uris } = spec.command;
    const place = { sandbox: record.sandbox, within: record.within };
    if (uris.length > 0) await fetcher.fetch({ ...place, containerId, user, uris, signal });
    signal.throwIfAborted();
    await processes.launch(spec, signal);
  }

  /** Takes its end in when it comes. */
  #follow(node: ContainerNode): void {
    const { processes, log } = this.#options;
    processes.wait(node.key).then(
      (termination) => this.#ended(node, termination),
      (error: unknown) => log.error(`Waiting for container ${node.key}: ${messageOf(error)}`),
    );
  }

  async #ended(node: ContainerNode, termination: ContainerTermination): Promise<void> {
    const { records, gc, processes } = this.#options;
    const shared = node.groupsOf === node.key ? undefined : processes.limitation(node.groupsOf);
    const known = { ...termination, ...records.endOf(node.key), ...(shared && limitedBy(shared)) };
    await records.end(node.key, known);
    node.ended(known);
    if (node.kind === "standalone") gc?.schedule(node.place.sandbox);
  }

  wait(chain: ContainerChain): Promise<ContainerTermination> | undefined {
    return this.#options.tree.get(chain)?.termination;
  }

  async kill(chain: ContainerChain, signal: number): Promise<boolean> {
    const { tree, processes, log } = this.#options;
    const node = tree.get(chain);
    if (node === undefined || !node.isLive) return false;
    log.info(`Sending signal ${signal} to container ${chainText(chain)}`);
    if (signal === SIGKILL) void tree.end(node);
    else if (node.signal !== undefined) node.signal(signal);
    else if (!processes.signal(node.key, signal)) void tree.end(node);
    return true;
  }

  pid(chain: ContainerChain): number | undefined {
    return this.#options.processes.pid(keyOf(chain));
  }

  async stop(chain: ContainerChain, grace: number): Promise<void> {
    const node = this.#options.tree.get(chain);
    if (node?.isLive) await this.#options.processes.stop(node.key, grace);
  }

  async remove(chain: ContainerChain): Promise<void> {
    const { tree } = this.#options;
    const [root] = chain;
    const node = tree.get(chain);
    if (tree.get([root]) === undefined) throw new UserError(`Root container ${root} not found`);
    if (node?.kind === "executor") throw new UserError(`Container ${root} is that of an executor`);
    if (node?.isLive) throw new UserError("Nested container has not terminated yet");
    if (node !== undefined) await this.#forget(node);
  }

  /** With its sandbox, and those within it. */
  async #forget(node: ContainerNode): Promise<void> {
    this.forgetRecords(node);
    if (node.kind === "session") return;
    const removed = removeNestedSandbox(node.place);
    this.#forgetting.set(node.key, removed);
    try {
      await removed;
    } finally {
      if (this.#forgetting.get(node.key) === removed) this.#forgetting.delete(node.key);
    }
  }

  /** A container is over: it and what was within it is remembered no more. Sandboxes stay. */
  forgetRecords(node: ContainerNode): void {
    for (const { key, kind } of this.#options.tree.remove(node)) {
      if (kind === "nested" || kind === "standalone") {
        void this.#options.processes.remove(key).catch(() => undefined);
        this.#options.records.forget(key);
      }
    }
  }

  list(): readonly NestedContainer[] {
    return [...this.#options.tree.nodes()]
      .filter(({ kind, isLive }) => kind !== "executor" && isLive)
      .map(({ chain, kind }) => ({ chain, isStandalone: kind === "standalone" }));
  }

  async usage(chain: ContainerChain): ReturnType<Containerizer["usage"]> {
    return await this.#options.processes.usage(keyOf(chain));
  }

  async status(chain: ContainerChain): Promise<ContainerStatus | undefined> {
    const node = this.#options.tree.get(chain);
    if (node === undefined || !node.isLive) return undefined;
    const isProcess = node.kind !== "session";
    const known = isProcess ? await this.#options.processes.status(node.key).catch(() => undefined) : undefined;
    const status = known ?? create(ContainerStatusSchema, {});
    status.containerId = containerIdOf(chain);
    return status;
  }

  // ---- after a restart

  /** The containers of an earlier agent, the deepest first, with what is to be taken up of each; `roots` are known already. */
  expected(): ExpectedContainer[] {
    const { tree, records } = this.#options;
    const roots = [...tree.nodes()];
    const found: ExpectedContainer[] = roots.flatMap((root) => this.#left(root, root)).reverse();
    const all = [...records.all().values()].sort((left, right) => left.order.chain.length - right.order.chain.length);
    for (const record of all) {
      const { chain } = record.order;
      const [root, ...rest] = chain.slice(0, -1);
      const parent = root === undefined ? undefined : tree.get([root, ...rest]);
      const key = keyOf(chain);
      if (root !== undefined && parent === undefined) {
        // Its parent is gone: an orphan, which the processes' own recovery ends if it ever ran.
        records.forgetUnstarted(key);
        continue;
      }
      const node = this.#add(record, () => void this.#options.processes.destroy(key));
      found.unshift({ ...specOf(record, parent), pid: undefined, node });
    }
    return found;
  }

  /** What a C++ agent left in a container, each after the one that it is in. */
  #left(root: ContainerNode, parent: ContainerNode): ExpectedContainer[] {
    const { records, processes } = this.#options;
    return records.left(parent.chain).flatMap(({ chain, pid, isSession }) => {
      const record = leftRecordOf(chain, root, parent);
      const node = this.#add(record, () => void processes.destroy(keyOf(chain)));
      if (isSession) this.#abandoned.add(node);
      return [{ ...specOf(record, parent), pid, node }, ...this.#left(root, node)];
    });
  }

  /** One of `expected()` is there, or (`found` false) never was. */
  recovered(node: ContainerNode, found: boolean): void {
    if (found) {
      if (node.phase === "launching") node.move("running");
      this.#follow(node);
      if (this.#abandoned.delete(node)) void this.#options.tree.end(node);
      return;
    }
    node.ended({ status: undefined });
    this.forgetRecords(node);
  }
}

const limitedBy = ({ reason, message, resources }: Limitation): Omit<ContainerTermination, "status"> => ({
  state: TaskState.TASK_FAILED,
  reason,
  message,
  limitation: resources,
});
