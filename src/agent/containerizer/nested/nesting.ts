import { create } from "@bufbuild/protobuf";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { ContainerStatusSchema, type ResourceStatistics, TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type {
  CheckpointedContainer,
  Containerizer,
  ContainerSpec,
  ContainerTermination,
  StartedContainer,
} from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { Sessions } from "../../model/session.ts";
import type { MesosContainerizer } from "../mesos/containerizer.ts";
import type { Nested } from "./containers.ts";
import type { ContainerNode, ContainerTree } from "./tree.ts";

export interface NestingOptions {
  readonly log: Logger;
  readonly processes: MesosContainerizer;
  readonly tree: ContainerTree;
  readonly nested: Nested;
  readonly sessions: Sessions;
}

/** The mesos containerizer with containers in containers: what ends one ends those within it, the deepest first. */
export class NestingContainerizer implements Containerizer {
  readonly name: string;
  readonly killGrace: undefined;
  readonly enforces: Containerizer["enforces"];
  readonly nested: Nested;
  readonly sessions: Sessions;
  readonly #processes: MesosContainerizer;
  readonly #tree: ContainerTree;
  readonly #log: Logger;
  /** Executors' containers without a process of their own. */
  readonly #processless = new Set<string>();

  constructor({ log, processes, tree, nested, sessions }: NestingOptions) {
    this.sessions = sessions;
    this.#log = log;
    this.#processes = processes;
    this.#tree = tree;
    this.nested = nested;
    this.name = processes.name;
    this.killGrace = processes.killGrace;
    this.enforces = processes.enforces;
  }

  accepts: Containerizer["accepts"] = (container) => this.#processes.accepts(container);
  check: Containerizer["check"] = (spec) => this.#processes.check(spec);
  update: Containerizer["update"] = (id, resources, limits) => this.#processes.update(id, resources, limits);
  limitMemory: Containerizer["limitMemory"] = (id, bytes) => this.#processes.limitMemory(id, bytes);
  run: Containerizer["run"] = (id, command, timeout) => this.#processes.run(id, command, timeout);
  reach: Containerizer["reach"] = () => this.#processes.reach();
  trouble: Containerizer["trouble"] = () => this.#processes.trouble();
  close: Containerizer["close"] = () => this.#processes.close();

  async launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer> {
    const node = this.#add(spec);
    try {
      const started = await this.#processes.launch(spec, signal);
      // It may have been asked to end in the moment of its start.
      if (node.phase === "launching") node.move("running");
      this.#follow(node);
      return started;
    } catch (error) {
      node.ended({ status: undefined, message: messageOf(error) });
      this.#processless.delete(node.key);
      this.nested.forgetRecords(node);
      throw error;
    }
  }

  #add({ containerId: id, sandbox, user, processless }: Omit<ContainerSpec, "environment">): ContainerNode {
    const known = this.#tree.get([id]);
    if (known?.isLive) throw TaskFailure.launch(`Container ${id} exists already`);
    if (processless) this.#processless.add(id);
    const node: ContainerNode = this.#tree.add({
      chain: [id],
      kind: "executor",
      place: { sandbox },
      user,
      groupsOf: id,
      isProcessless: processless ?? false,
      kill: () => void (processless ? this.#finish(node) : this.#processes.destroy(id)),
    });
    return node;
  }

  #follow(node: ContainerNode): void {
    if (this.#processless.has(node.key)) return;
    this.#processes.wait(node.key).then(
      (termination) => node.ended(termination),
      () => undefined,
    );
  }

  /** Nothing is left in a container without a process. */
  async #finish(node: ContainerNode): Promise<void> {
    const limitation = node.limitation ?? this.#processes.limitation(node.key);
    try {
      await this.#processes.release(node.key);
    } catch (error) {
      this.#log.error(`Cleaning up container ${node.key}: ${messageOf(error)}`);
    }
    const { reason, message, resources } = limitation ?? {};
    node.ended({
      status: 0,
      ...(limitation && { state: TaskState.TASK_FAILED }),
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
      ...(resources && { limitation: resources }),
    });
  }

  async recover(expected: readonly CheckpointedContainer[]): Promise<ReadonlySet<string>> {
    const roots = expected.map((container) => this.#add(container));
    const within = this.nested.expected();
    // Children are taken up before their parents: the end of one may end the others at once.
    const found = await this.#processes.recover([...within, ...expected]);
    for (const { node } of within) this.nested.recovered(node, found.has(node.key));
    for (const node of roots) {
      if (found.has(node.key)) {
        if (node.phase === "launching") node.move("running");
        this.#follow(node);
        continue;
      }
      void (this.#tree.endWithin(node) ?? Promise.resolve()).then(() => {
        node.ended({ status: undefined });
        this.nested.forgetRecords(node);
      });
    }
    const roots_ = new Set(expected.map(({ containerId }) => containerId));
    return new Set([...found].filter((id) => roots_.has(id)));
  }

  async stop(containerId: string, grace: number): Promise<void> {
    const node = this.#tree.get([containerId]);
    if (node === undefined || !this.#processless.has(containerId)) return this.#processes.stop(containerId, grace);
    if (node.phase === "running") node.move("destroying");
    const live = [...this.#tree.childrenOf(node)].filter(({ isLive }) => isLive);
    await Promise.all(live.map(({ key }) => this.#processes.stop(key, grace)));
    void Promise.all(live.map(({ termination }) => termination)).then(() => this.#finish(node));
  }

  async destroy(containerId: string): Promise<void> {
    const node = this.#tree.get([containerId]);
    // One that is being launched has nothing within it, and is ended as a launch.
    if (node === undefined || node.phase === "launching") return this.#processes.destroy(containerId);
    void this.#tree.end(node);
  }

  wait(containerId: string): Promise<ContainerTermination> {
    const node = this.#processless.has(containerId) ? this.#tree.get([containerId]) : undefined;
    return node?.termination ?? this.#processes.wait(containerId);
  }

  async usage(containerId: string): Promise<ResourceStatistics | undefined> {
    const node = this.#processless.has(containerId) ? this.#tree.get([containerId]) : undefined;
    return await this.#processes.usage(containerId, node && this.#keysWithin(node));
  }

  #keysWithin(node: ContainerNode): string[] {
    const children = [...this.#tree.childrenOf(node)];
    return children.flatMap((child) => [child.key, ...this.#keysWithin(child)]);
  }

  async status(containerId: string): ReturnType<Containerizer["status"]> {
    if (!this.#processless.has(containerId)) return await this.#processes.status(containerId);
    return create(ContainerStatusSchema, { containerId: { value: containerId } });
  }

  async remove(containerId: string): Promise<void> {
    await this.#processes.remove(containerId);
    this.#processless.delete(containerId);
    const node = this.#tree.get([containerId]);
    if (node !== undefined) this.nested.forgetRecords(node);
  }
}
