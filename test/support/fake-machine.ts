import { clone, create } from "@bufbuild/protobuf";
import { Launches } from "../../src/agent/containerizer/launches.ts";
import type { Containerizer, ContainerSpec, ContainerTermination } from "../../src/agent/model/container.ts";
import { TaskFailure } from "../../src/agent/model/failure.ts";
import type { ContainerChain, NestedContainers, NestedOrder } from "../../src/agent/model/nested.ts";
import {
  type CommandInfo,
  type ContainerInfo,
  type ContainerStatus,
  ContainerStatusSchema,
  ExecutorInfoSchema,
  type ResourceStatistics,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";

interface FakeContainer {
  readonly spec: ContainerSpec;
  readonly ended: Promise<ContainerTermination>;
  /** `status`: a raw wait(2) status; or all that a containerizer knows of an end. */
  readonly end: (termination: number | ContainerTermination) => void;
  /** Nobody can say how it ends. */
  readonly lose: (why: Error) => void;
  running: boolean;
}

interface FakeNested {
  readonly order: NestedOrder;
  readonly ended: Promise<ContainerTermination>;
  /** `status`: a raw wait(2) status. */
  readonly end: (status: number) => void;
  /** Nobody can say how it ends. */
  readonly lose: (why: Error) => void;
  running: boolean;
}

/** SIGTERM and SIGKILL as wait(2) tells them. */
const [TERMINATED, KILLED] = [15, 9];

const nameOf = ({ task, executor }: ContainerSpec): string => task?.taskId?.value ?? executor.executorId?.value ?? "";

/** What runs on the machine: it outlives agents, as real containers do. Nothing is executed. */
export class FakeMachine {
  readonly containers = new Map<string, FakeContainer>();
  /** Containers within others, by their ids joined by dots. */
  readonly nested = new Map<string, FakeNested>();
  /** The command whose container cannot be started, and why. */
  nestedFailure: { readonly command: string; readonly message: string } | undefined;
  /** Launches of containers within others wait for it. They end early when they are aborted. */
  nestedPull: Promise<void> | undefined;
  /** The process of a container within another, by the last word of its id. */
  nestedPid: { readonly id: string; readonly pid: number } | undefined;
  /** A container within another runs, and its launch is not over before this. */
  afterNestedStart: Promise<void> | undefined;
  /** Task ids (of executors: executor ids) in the order of their starts. */
  readonly started: string[] = [];
  /** What the agent asked for, in order: `stop task 3000`, `destroy executor`, `remove task`, `update executor`. */
  readonly asked: string[] = [];
  /** By executor: the amounts of each scalar that its container was given with `update`, in order. */
  readonly resized = new Map<string, Map<string, number>[]>();
  /** Commands that were run in containers, by their value. */
  readonly commands: string[] = [];
  /** Whether containers end when they are asked to (`stop`). */
  obeys = true;
  /** What a launch fails with. */
  failure: Error | undefined;
  /** Launches wait for it, as for a pull. They end early when they are aborted. */
  pull: Promise<void> | undefined;
  /** A container runs, and it is not reported before this. */
  afterStart: Promise<void> | undefined;
  /** What the first TASK_RUNNING has as its data. */
  data: Uint8Array | undefined;
  /** Which limits it holds. */
  enforces: Containerizer["enforces"] = { cpus: false, mem: false };
  /** Which containers it takes. */
  accepts: (container: ContainerInfo | undefined) => boolean = () => true;
  /** What it says to `stop`, `destroy`, `update` and `remove`, instead of doing it. */
  refusal: Error | undefined;
  /** What a container uses; undefined: it cannot be measured. */
  usage: () => Promise<ResourceStatistics | undefined> = async () => undefined;
  /** What is wrong with the containerizer. */
  trouble: string | undefined;
  /** What containers are known by, and the labels that TASK_RUNNING has of them. */
  status: ContainerStatus = create(ContainerStatusSchema);
  labels: Readonly<Record<string, string>> = {};
  /** What containers themselves have logged; undefined: nothing but what is in their sandboxes. */
  ownLog: Containerizer["ownLog"];
  /** The exit code of a command that is run in a container. */
  run: (command: CommandInfo) => number = () => 0;

  /** The running container of a task or executor. */
  containerOf(name: string): FakeContainer | undefined {
    return [...this.containers.values()].find(({ spec, running }) => running && nameOf(spec) === name);
  }

  get running(): number {
    return [...this.containers.values()].filter(({ running }) => running).length;
  }

  /** A container that another agent left running. */
  adopt(containerId: string, executorId: string): void {
    this.#launch({
      containerId,
      task: undefined,
      executor: create(ExecutorInfoSchema, { executorId: { value: executorId } }),
    } as never);
  }

  #launch(spec: ContainerSpec): void {
    const { promise: ended, resolve, reject } = Promise.withResolvers<ContainerTermination>();
    const container: FakeContainer = {
      spec,
      ended,
      running: true,
      end: (termination) => {
        container.running = false;
        resolve(typeof termination === "number" ? { status: termination } : termination);
      },
      lose: reject,
    };
    ended.catch(() => undefined);
    this.containers.set(spec.containerId, container);
    this.started.push(nameOf(spec));
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    await this.#pulled(this.pull, signal);
  }

  async #pulled(pull: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (pull === undefined) return;
    const aborted = Promise.withResolvers<never>();
    signal?.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
    await Promise.race([pull, aborted.promise]);
  }

  #note(what: string, id: string): void {
    const container = this.containers.get(id);
    if (container !== undefined) this.asked.push(what.replace("#", nameOf(container.spec)));
  }

  /** The last of its kind: the container within another, by the value of its command. */
  nestedOf(command: string): FakeNested | undefined {
    return [...this.nested.values()].findLast(({ order }) => order.command?.value === command);
  }

  #nested(dead: () => boolean): NestedContainers {
    const find = (chain: ContainerChain): FakeNested | undefined => this.nested.get(chain.join("."));
    return {
      launch: async (order, signal) => {
        if (dead()) return await new Promise<never>(() => undefined);
        // As for executors with a process of their own, of which nothing is real here.
        if (!this.containers.get(order.chain[0])?.spec.processless) throw TaskFailure.launch("nothing is nested there");
        const failing = this.nestedFailure;
        if (failing !== undefined && failing.command === order.command?.value) throw new Error(failing.message);
        await this.#pulled(this.nestedPull, signal);
        if (dead()) return await new Promise<never>(() => undefined);
        const { promise: ended, resolve, reject } = Promise.withResolvers<ContainerTermination>();
        ended.catch(() => undefined);
        const nested: FakeNested = {
          ...{ order, ended, running: true, lose: reject },
          end: (status) => {
            nested.running = false;
            resolve({ status });
          },
        };
        this.nested.set(order.chain.join("."), nested);
        await this.afterNestedStart;
        return "launched";
      },
      wait: (chain) => {
        const ended = find(chain)?.ended;
        return ended?.then((end) => (dead() ? new Promise<never>(() => undefined) : end));
      },
      kill: async (chain) => find(chain)?.running ?? false,
      pid: (chain) => (dead() || chain[1] !== this.nestedPid?.id ? undefined : this.nestedPid?.pid),
      stop: async (chain, grace) => {
        const nested = dead() ? undefined : find(chain);
        this.asked.push(`stop ${nested?.order.command?.value} ${grace}`);
        if (this.obeys && nested?.running) nested.end(TERMINATED);
      },
      remove: async () => undefined,
      list: () => [],
      usage: async () => undefined,
      status: async (chain) => (find(chain)?.running ? clone(ContainerStatusSchema, this.status) : undefined),
    };
  }

  /** One agent's view of the machine, until `dead` says that its process is gone. */
  containerizer(dead: () => boolean): Containerizer {
    const find = (id: string): FakeContainer | undefined => (dead() ? undefined : this.containers.get(id));
    const forever = new Promise<never>(() => undefined);
    const launching = new Launches();
    const live = (what: string, id: string): FakeContainer | undefined => {
      if (!dead()) this.#note(what, id);
      if (this.refusal !== undefined) throw this.refusal;
      return find(id);
    };
    return {
      nested: this.#nested(dead),
      ...(this.ownLog && { ownLog: this.ownLog }),
      name: "mesos",
      killGrace: undefined,
      enforces: this.enforces,
      accepts: (container) => this.accepts(container),
      check: () => undefined,
      launch: async (spec, signal) => {
        if (dead()) return forever;
        const end = () => this.containers.get(spec.containerId)?.end(KILLED);
        const work = async (signals: AbortSignal) => {
          await this.#prepare(signals);
          this.#launch(spec);
          await this.afterStart;
        };
        await launching.run(spec.containerId, signal, work, end);
        const pid = spec.processless ? undefined : 1_000_000 + this.started.length;
        return { pid, status: clone(ContainerStatusSchema, this.status), data: this.data, labels: this.labels };
      },
      recover: async (expected) => {
        const ids = new Set(expected.map(({ containerId }) => containerId));
        for (const [id, container] of this.containers) if (!ids.has(id)) container.end(KILLED);
        return new Set([...ids].filter((id) => this.containers.has(id)));
      },
      update: async (id, resources) => {
        const container = live("update #", id);
        if (container === undefined) return;
        const amounts = new Map<string, number>();
        for (const { name, scalar } of resources) amounts.set(name, (amounts.get(name) ?? 0) + (scalar?.value ?? 0));
        const name = nameOf(container.spec);
        this.resized.set(name, [...(this.resized.get(name) ?? []), amounts]);
      },
      limitMemory: async (id, bytes) => live(`limit # ${bytes}`, id)?.running ?? false,
      stop: async (id, grace) => {
        const container = live(`stop # ${grace}`, id);
        if (this.obeys && container?.running) container.end(TERMINATED);
      },
      destroy: async (id) => {
        launching.end(id, 0, TaskFailure.launch("Container was destroyed while it was launched"));
        const container = live("destroy #", id);
        for (const { order, running, end } of this.nested.values()) if (running && order.chain[0] === id) end(KILLED);
        if (container?.running) container.end(KILLED);
      },
      wait: async (id) => {
        const container = this.containers.get(id);
        if (container === undefined) throw new Error(`container ${id} is not known`);
        const termination = await container.ended;
        return dead() ? forever : termination;
      },
      usage: () => this.usage(),
      status: async () => clone(ContainerStatusSchema, this.status),
      run: async (_id, command) => {
        this.commands.push(command.value);
        return { exitCode: this.run(command) };
      },
      reach: async () => ({ kind: "machine" }),
      remove: async (id) => {
        live("remove #", id);
        if (!dead()) this.containers.delete(id);
      },
      trouble: () => this.trouble,
      close: async () => undefined,
    };
  }
}
