import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readState } from "../../src/agent/checkpoint/state.ts";
import { CheckpointStore } from "../../src/agent/checkpoint/store.ts";
import { type CheckpointFiles, checkpointFiles } from "../../src/agent/model/files.ts";
import { Paths, type RunKey } from "../../src/agent/model/paths.ts";
import { rebuild } from "../../src/agent/recovery/rebuild.ts";
import { StatusUpdates } from "../../src/agent/status-updates/streams.ts";
import { silentLogger } from "../../src/base/log.ts";
import { RunTaskMessageSchema, type StatusUpdate } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskSchema,
  TaskState,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { settle, TestClock } from "../support/test-clock.ts";
import { describeRecords, updateOf, uuidOf } from "../support/updates.ts";

/** What may happen to the agent, its disk and its master. */
type Step =
  | { readonly do: "update"; readonly task: number; readonly last: boolean }
  | { readonly do: "acknowledge"; readonly task: number; readonly back: number }
  | { readonly do: "disconnect" | "reconnect" | "failover" | "hold" | "release" }
  | { readonly do: "wait"; readonly milliseconds: number }
  /** The agent's process ends in the middle of its writes: of those in progress this much gets onto the disk. */
  | { readonly do: "crash"; readonly written: "nothing" | "half" | "all" };

const tasks = [0, 1];
const numberOf = (uuid: Uint8Array): number => new DataView(uuid.buffer, uuid.byteOffset).getUint32(12);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("update" as const), task: fc.constantFrom(...tasks), last: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("acknowledge" as const), task: fc.constantFrom(...tasks), back: fc.nat(2) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("disconnect", "reconnect", "failover", "hold", "release") }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), milliseconds: fc.nat(700_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("crash" as const), written: fc.constantFrom("nothing", "half", "all") }),
  },
);

/** The real files, whose appends can be held in the middle; what is held when the process ends is lost, or half there. */
class HeldAppends {
  readonly files: CheckpointFiles;
  #held: { path: string; data: Uint8Array; go: () => void }[] | undefined;
  dead = false;

  constructor() {
    this.files = {
      ...checkpointFiles,
      append: async (path, data, durable) => {
        const held = this.#held;
        if (held !== undefined) await new Promise<void>((go) => held.push({ path, data, go }));
        if (this.dead) await new Promise<never>(() => undefined);
        await checkpointFiles.append(path, data, durable);
      },
    };
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { go } of held) go();
  }

  async crash(written: "nothing" | "half" | "all"): Promise<void> {
    this.dead = true;
    for (const { path, data } of this.#held ?? []) {
      const length = { nothing: 0, half: data.length >> 1, all: data.length }[written];
      await checkpointFiles.append(path, data.subarray(0, length), false);
    }
  }
}

/** One agent's life over any number of processes, with a master and executors that remember everything. */
class World {
  readonly #paths: Paths;
  /** What executors made and the agent has not confirmed; they replay it when the agent comes back. */
  readonly #unconfirmed: { task: number; number: number; state: TaskState }[] = [];
  readonly #made = new Map<number, number[]>(tasks.map((task) => [task, []]));
  readonly #ended = new Set<number>();
  /** Acknowledged: as this process knows it; at a crash it is what the disk says. */
  #acknowledged = new Set<number>();
  readonly forwarded: number[][] = tasks.map(() => []);
  #appends = new HeldAppends();
  #clock = new TestClock();
  #paused = true;
  #updates: StatusUpdates;
  #number = 0;

  private constructor(paths: Paths) {
    this.#paths = paths;
    this.#updates = this.#start();
  }

  /** An agent with a framework that checkpoints and its tasks, as it writes them down before they start. */
  static async begin(folder: string): Promise<World> {
    const world = new World(new Paths(folder));
    const store = new CheckpointStore(checkpointFiles, world.#paths);
    await store.agent(create(AgentInfoSchema, { hostname: "h", id: { value: "agent" } }));
    const info = create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "framework" }, checkpoint: true });
    const framework = { frameworkId: "framework", info, pid: undefined };
    store.framework("agent", framework as never);
    for (const task of tasks) {
      const key = world.#run(task);
      const common = { name: "t", taskId: { value: String(task) }, agentId: { value: "agent" } };
      const executor = create(ExecutorInfoSchema, { executorId: { value: String(task) }, command: { value: "true" } });
      store.executor("agent", { ...key, info: executor, kind: "command" } as never);
      const bookkeeping = create(TaskSchema, {
        ...common,
        frameworkId: { value: "framework" },
        state: TaskState.TASK_STAGING,
      });
      const launch = create(RunTaskMessageSchema, { framework: info, task: common, launchExecutor: true });
      store.task(key, { taskId: String(task), task: bookkeeping } as never, launch);
    }
    return world;
  }

  #run(task: number): RunKey {
    return { agentId: "agent", frameworkId: "framework", executorId: String(task), containerId: `c${task}` };
  }

  #path(task: number): string {
    return this.#paths.meta.taskUpdates(this.#run(task), String(task));
  }

  records(task: number): string[] {
    try {
      return describeRecords(readFileSync(this.#path(task))).split(" ");
    } catch {
      return [];
    }
  }

  #start(): StatusUpdates {
    const appends = new HeldAppends();
    const clock = new TestClock();
    this.#appends = appends;
    this.#clock = clock;
    return new StatusUpdates({
      clock,
      log: silentLogger,
      files: appends.files,
      outbox: {
        forward: (update) => {
          if (!appends.dead) this.#forward(update);
        },
      },
    });
  }

  #forward({ uuid, status }: StatusUpdate): void {
    const number = numberOf(uuid);
    const task = Number(status?.taskId?.value);
    expect(this.#paused, `${number} sent while disconnected`).toBe(false);
    const records = this.records(task);
    expect(records, `${number} sent before it was written`).toContain(`+${number}`);
    expect(records, `${number} sent after its acknowledgement was written`).not.toContain(`-${number}`);
    for (const earlier of this.#made.get(task) ?? [])
      if (earlier < number)
        expect(records, `${number} sent before the acknowledgement of ${earlier} was written`).toContain(`-${earlier}`);
    const next = (this.#made.get(task) ?? []).find((made) => !this.#acknowledged.has(made));
    expect(number, "sent out of order").toBe(next);
    this.forwarded[task]?.push(number);
  }

  async run(step: Step): Promise<void> {
    if (step.do === "update") this.#make(step.task, step.last);
    else if (step.do === "acknowledge") this.#acknowledge(step.task, step.back);
    else if (step.do === "hold") this.#appends.hold();
    else if (step.do === "release") this.#appends.release();
    else if (step.do === "failover") this.#updates.resend("framework");
    else if (step.do === "wait") await this.#clock.advance(step.milliseconds);
    else if (step.do === "crash") await this.#crash(step.written);
    else this.#connect(step.do === "reconnect");
    await settle();
  }

  #connect(connected: boolean): void {
    this.#paused = !connected;
    if (connected) this.#updates.resume();
    else this.#updates.pause();
  }

  #make(task: number, last: boolean): void {
    if (this.#ended.has(task)) return;
    if (last) this.#ended.add(task);
    const number = ++this.#number;
    this.#made.get(task)?.push(number);
    const one = { task, number, state: last ? TaskState.TASK_FINISHED : TaskState.TASK_RUNNING };
    this.#unconfirmed.push(one);
    this.#report(one);
  }

  #report(one: { task: number; number: number; state: TaskState }): void {
    const appends = this.#appends;
    const update = updateOf(one.number, one.state, { task: String(one.task) });
    void this.#updates.add(update, String(one.task), this.#path(one.task)).then((durable) => {
      if (!durable || appends.dead) return;
      expect(this.records(one.task), "confirmed before it was written").toContain(`+${one.number}`);
      const index = this.#unconfirmed.indexOf(one);
      if (index >= 0) this.#unconfirmed.splice(index, 1);
    });
  }

  /** Acknowledges what was sent last, or something older. */
  #acknowledge(task: number, back: number): void {
    const number = this.forwarded[task]?.at(-1 - back);
    if (number === undefined) return;
    const head = this.#updates.head("framework", String(task));
    if (head !== undefined && numberOf(head.uuid) === number) this.#acknowledged.add(number);
    void this.#updates.acknowledge("framework", String(task), uuidOf(number));
  }

  async #crash(written: "nothing" | "half" | "all"): Promise<void> {
    await this.#appends.crash(written);
    this.#paused = true;
    this.#updates = this.#start();
    this.#acknowledged = new Set();
    const { agent } = readState({ paths: this.#paths, log: silentLogger, strict: true });
    if (agent === undefined) throw new Error("the agent was forgotten");
    const { streams } = rebuild(agent, { paths: this.#paths, now: 0, rebooted: false, users: { of: () => undefined } });
    for (const task of tasks)
      for (const word of this.records(task)) if (word.startsWith("-")) this.#acknowledged.add(Number(word.slice(1)));
    for (const stream of streams) this.#updates.recover(stream);
    // Executors come back and replay, the agent registers.
    for (const one of [...this.#unconfirmed]) this.#report(one);
    await settle();
    this.#connect(true);
  }

  /** The master acknowledges everything until nothing is left. */
  async finish(): Promise<void> {
    await this.run({ do: "release" });
    await this.run({ do: "crash", written: "all" });
    for (let turns = 0; this.#updates.pendingCount > 0 && turns < 200; turns++)
      for (const task of tasks) await this.run({ do: "acknowledge", task, back: 0 });
    expect(this.#updates.pendingCount).toBe(0);
    expect(this.#unconfirmed).toEqual([]);
    for (const task of tasks) {
      const made = this.#made.get(task) ?? [];
      expect([...new Set(this.forwarded[task])]).toEqual(made);
      const words = this.records(task);
      expect(words.filter((word) => word.startsWith("+"))).toEqual(made.map((number) => `+${number}`));
      expect(words.filter((word) => word.startsWith("-"))).toEqual(made.map((number) => `-${number}`));
    }
  }
}

it("nothing acknowledged is forgotten or sent again, the order stays, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), "update-recovery-"));
      try {
        const world = await World.begin(folder);
        await world.run({ do: "reconnect" });
        for (const one of steps) await world.run(one);
        await world.finish();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 60) },
  );
}, 120_000);
