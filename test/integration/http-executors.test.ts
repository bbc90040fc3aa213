import { type ClientRequest, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  Call_Type,
  CallSchema,
  type Event,
  Event_Type,
  EventSchema,
} from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState, TaskStatus_Source } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { RecordDecoder } from "../../src/mesos/recordio.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { uuidOf } from "../support/updates.ts";

const PROTOBUF = "application/x-protobuf";
type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown">;

/** An executor of the v1 API, as the test plays it: its container is only there to be alive. */
class HttpExecutor {
  readonly events: Event[] = [];
  readonly refusals: number[] = [];
  #stream: ClientRequest | undefined;
  readonly #port: number;
  readonly #frameworkId: string;

  constructor(port: number, frameworkId: string) {
    this.#port = port;
    this.#frameworkId = frameworkId;
  }

  #post(init: CallInit): ClientRequest {
    const call = create(CallSchema, {
      executorId: { value: "executor" },
      frameworkId: { value: this.#frameworkId },
      ...init,
    });
    const headers = { "content-type": PROTOBUF, accept: PROTOBUF };
    const options = { host: "127.0.0.1", port: this.#port, path: "/slave(1)/api/v1/executor", method: "POST", headers };
    const post = request(options);
    post.end(encode(CallSchema, call));
    return post;
  }

  call(init: CallInit): Promise<number> {
    return new Promise((resolve) => {
      const post = this.#post(init);
      post.on("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      post.on("error", () => resolve(0));
    });
  }

  /** Subscribes, again and again as the real library does, until the agent takes it. */
  async subscribe(subscribe: CallInit["subscribe"] = {}): Promise<void> {
    for (;;) {
      const post = this.#post({ type: Call_Type.SUBSCRIBE, subscribe });
      const status = await new Promise<number>((resolve) => {
        post.on("error", () => resolve(0));
        post.on("response", (response) => {
          const decoder = new RecordDecoder();
          if (response.statusCode === 200)
            response.on("data", (chunk: Buffer) => {
              for (const record of decoder.push(chunk)) this.events.push(decode(EventSchema, record));
            });
          else response.resume();
          response.on("error", () => undefined);
          resolve(response.statusCode ?? 0);
        });
      });
      if (status === 200) {
        this.#stream = post;
        return;
      }
      this.refusals.push(status);
      await pause(50);
    }
  }

  update(taskId: string, state: TaskState, number: number): Promise<number> {
    const status = { taskId: { value: taskId }, state, source: TaskStatus_Source.EXECUTOR, uuid: uuidOf(number) };
    return this.call({ type: Call_Type.UPDATE, update: { status } });
  }

  get types(): (Event_Type | undefined)[] {
    return this.events.map(({ type }) => type);
  }

  close(): void {
    this.#stream?.destroy();
  }
}

const { SUBSCRIBED, LAUNCH, ACKNOWLEDGED, KILL } = Event_Type;
const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;

describe("an executor of the v1 API on a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;
  let executor: HttpExecutor;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]", "--executor_reregistration_timeout=10secs"],
    });
    agent.start();
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
    executor = new HttpExecutor(agent.port, scheduler.frameworkId ?? "");
  });

  afterEach(async () => {
    executor.close();
    scheduler.close();
    await agent.destroy();
    await master.stop();
  });

  function task(taskId: string): ReturnType<typeof commandTask> {
    const { command: _none, ...rest } = commandTask(taskId, "") as { command?: unknown };
    const frameworkId = { value: scheduler.frameworkId ?? "" };
    const info = { executorId: { value: "executor" }, frameworkId, command: { value: "exec sleep 1000" } };
    return { ...rest, executor: info } as never;
  }

  it("gets its tasks, outlives the agent, subscribes again and goes on", async () => {
    await scheduler.launch([task("one")]);
    await executor.subscribe();
    await expect.poll(() => executor.types).toEqual([SUBSCRIBED, LAUNCH]);
    expect(await executor.update("one", TASK_RUNNING, 1)).toBe(202);
    await expect.poll(() => executor.types.at(-1)).toBe(ACKNOWLEDGED);
    await scheduler.until("RUNNING", () => scheduler.statesOf("one").includes(TASK_RUNNING));

    await agent.end("SIGKILL");
    executor.events.length = 0;
    executor.refusals.length = 0;
    // Offers of the agent that is gone; what comes from here on is the new one's.
    scheduler.offers.length = 0;
    const back = executor.subscribe();
    agent.start();
    await back;
    // Nobody there, or not yet: never a refusal that an executor takes as final.
    for (const status of executor.refusals) expect([0, 404, 503]).toContain(status);
    await expect.poll(() => executor.types).toEqual([SUBSCRIBED]);
    await scheduler.launch([task("two")]);
    await expect.poll(() => executor.types, { timeout: 20_000 }).toEqual([SUBSCRIBED, LAUNCH]);
    expect(executor.events[1]?.launch?.task?.taskId?.value).toBe("two");
    expect(await executor.update("one", TASK_FINISHED, 2)).toBe(202);
    expect((await scheduler.until("end", () => scheduler.terminalOf("one"))).state).toBe(TASK_FINISHED);

    expect(await executor.update("two", TASK_RUNNING, 3)).toBe(202);
    await scheduler.until("RUNNING", () => scheduler.statesOf("two").includes(TASK_RUNNING));
    await scheduler.kill("two");
    await expect.poll(() => executor.types).toContain(KILL);
    expect(await executor.update("two", TASK_KILLED, 4)).toBe(202);
    expect((await scheduler.until("end", () => scheduler.terminalOf("two"))).state).toBe(TASK_KILLED);
  });
});
