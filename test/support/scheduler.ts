import { type ClientRequest, request } from "node:http";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  type Offer,
  type Offer_OperationSchema,
  type OperationStatus,
  type TaskInfo,
  TaskInfoSchema,
  type TaskState,
  type TaskStatus,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  type Call,
  Call_Type,
  CallSchema,
  type Event,
  Event_Type,
  EventSchema,
} from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { RecordDecoder } from "../../src/mesos/recordio.ts";
import { isTerminal } from "../../src/mesos/states.ts";

const PROTOBUF = "application/x-protobuf";

export interface SchedulerOptions {
  /** `127.0.0.1:5050` */
  readonly master: string;
  readonly name?: string;
  readonly user?: string;
  readonly checkpoint?: boolean;
  /** Seconds. */
  readonly failoverTimeout?: number;
  readonly capabilities?: readonly number[];
  /** With MULTI_ROLE among the capabilities. */
  readonly roles?: readonly string[];
  /** Whether updates are acknowledged; a function decides for each. */
  readonly acknowledge?: boolean | ((status: TaskStatus) => boolean);
}

type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown">;

/** A scheduler for tests, over the v1 HTTP API in protobuf: it keeps every update that it was sent. */
export class TestScheduler {
  readonly updates: TaskStatus[] = [];
  /** Feedback on operations with an id. */
  readonly operations: OperationStatus[] = [];
  readonly offers: Offer[] = [];
  readonly failures: Event[] = [];
  readonly #options: SchedulerOptions;
  readonly #waiting = new Set<() => void>();
  frameworkId: string | undefined;
  #streamId: string | undefined;
  #stream: ClientRequest | undefined;
  #closed = false;
  error: string | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Subscribes, anew or as the same framework. Resolves when the master has answered. */
  async subscribe(master: string = this.#options.master): Promise<void> {
    const [hostname = "", port = ""] = master.split(":");
    const {
      name = "test",
      user = "root",
      checkpoint = false,
      failoverTimeout = 0,
      capabilities = [],
      roles = [],
    } = this.#options;
    const id = this.frameworkId === undefined ? {} : { id: { value: this.frameworkId } };
    const body = encode(
      CallSchema,
      create(CallSchema, {
        type: Call_Type.SUBSCRIBE,
        ...(this.frameworkId !== undefined && { frameworkId: { value: this.frameworkId } }),
        subscribe: {
          frameworkInfo: {
            ...id,
            user,
            name,
            checkpoint,
            failoverTimeout,
            roles: [...roles],
            capabilities: capabilities.map((type) => ({ type })) as never,
          },
        },
      }),
    );
    this.#stream?.destroy();
    this.offers.length = 0;
    const subscribed = new Promise<void>((resolve, reject) => {
      const call = request(
        {
          hostname,
          port,
          path: "/api/v1/scheduler",
          method: "POST",
          headers: { "content-type": PROTOBUF, accept: PROTOBUF },
        },
        (response) => {
          if (response.statusCode !== 200) {
            response.resume();
            reject(new Error(`SUBSCRIBE was answered ${response.statusCode}`));
            return;
          }
          this.#streamId = response.headers["mesos-stream-id"] as string | undefined;
          const decoder = new RecordDecoder();
          response.on("data", (chunk: Buffer) => {
            for (const record of decoder.push(chunk)) this.#event(decode(EventSchema, record), resolve);
          });
          response.on("error", () => undefined);
        },
      );
      call.on("error", (error) => (this.#closed ? undefined : reject(error)));
      call.end(body);
      this.#stream = call;
    });
    await subscribed;
  }

  #event(event: Event, subscribed: () => void): void {
    if (event.type === Event_Type.SUBSCRIBED) {
      this.frameworkId = event.subscribed?.frameworkId?.value;
      subscribed();
    } else if (event.type === Event_Type.OFFERS) this.offers.push(...(event.offers?.offers ?? []));
    else if (event.type === Event_Type.RESCIND) {
      const id = event.rescind?.offerId?.value;
      const index = this.offers.findIndex((offer) => offer.id?.value === id);
      if (index >= 0) this.offers.splice(index, 1);
    } else if (event.type === Event_Type.FAILURE) this.failures.push(event);
    else if (event.type === Event_Type.ERROR) this.error = event.error?.message;
    else if (event.type === Event_Type.UPDATE_OPERATION_STATUS && event.updateOperationStatus?.status !== undefined)
      this.operations.push(event.updateOperationStatus.status);
    else if (event.type === Event_Type.UPDATE && event.update?.status !== undefined) this.#update(event.update.status);
    for (const wake of [...this.#waiting]) wake();
  }

  #update(status: TaskStatus): void {
    this.updates.push(status);
    const { acknowledge = true } = this.#options;
    const wanted = typeof acknowledge === "function" ? acknowledge(status) : acknowledge;
    if (!wanted || status.uuid.length === 0) return;
    void this.acknowledge(status);
  }

  acknowledge(status: TaskStatus): Promise<number> {
    return this.call({
      type: Call_Type.ACKNOWLEDGE,
      acknowledge: {
        ...(status.agentId && { agentId: status.agentId }),
        ...(status.taskId && { taskId: status.taskId }),
        uuid: status.uuid,
      },
    });
  }

  /** Makes a call; resolves to the answer's status. A master that is gone counts as 0. */
  call(init: CallInit, master: string = this.#options.master): Promise<number> {
    const [hostname = "", port = ""] = master.split(":");
    const message: Call = create(CallSchema, {
      ...init,
      ...(this.frameworkId !== undefined && { frameworkId: { value: this.frameworkId } }),
    });
    const headers = {
      "content-type": PROTOBUF,
      ...(this.#streamId !== undefined && { "mesos-stream-id": this.#streamId }),
    };
    return new Promise((resolve) => {
      const call = request({ hostname, port, path: "/api/v1/scheduler", method: "POST", headers }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", () => resolve(0));
      });
      call.on("error", () => resolve(0));
      call.end(encode(CallSchema, message));
    });
  }

  /** Waits for a condition over what was received; looked at after each event. */
  async until<T>(what: string, condition: () => T | undefined | false, milliseconds = 60_000): Promise<T> {
    const deadline = Date.now() + milliseconds;
    for (;;) {
      const result = condition();
      if (result !== undefined && result !== false) return result;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${what} within ${milliseconds} ms; updates: ${this.describe()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(left, 1_000));
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  offer(): Promise<Offer> {
    return this.until("offer", () => this.offers[0]);
  }

  /** Launches tasks on the first offer. */
  async launch(
    tasks: readonly Omit<MessageInitShape<typeof TaskInfoSchema>, "$typeName" | "$unknown">[],
  ): Promise<void> {
    const offer = await this.offer();
    this.offers.splice(this.offers.indexOf(offer), 1);
    const agentId = { value: offer.agentId?.value ?? "" };
    const taskInfos: TaskInfo[] = tasks.map((task) => create(TaskInfoSchema, { ...task, agentId }));
    await this.accept([offer], [{ type: 1, launch: { taskInfos } }]);
  }

  /** Uses offers of one agent for these operations, in their order. */
  async accept(
    offers: readonly Offer[],
    operations: readonly Omit<MessageInitShape<typeof Offer_OperationSchema>, "$typeName" | "$unknown">[],
  ): Promise<void> {
    for (const offer of offers) {
      const at = this.offers.indexOf(offer);
      if (at >= 0) this.offers.splice(at, 1);
    }
    const status = await this.call({
      type: Call_Type.ACCEPT,
      accept: {
        offerIds: offers.map(({ id }) => ({ value: id?.value ?? "" })),
        operations: [...operations],
        filters: { refuseSeconds: 0 },
      },
    });
    if (status !== 202) throw new Error(`ACCEPT was answered ${status}`);
  }

  acknowledgeOperation({ operationId, agentId, uuid }: OperationStatus): Promise<number> {
    return this.call({
      type: Call_Type.ACKNOWLEDGE_OPERATION_STATUS,
      acknowledgeOperationStatus: {
        ...(operationId && { operationId }),
        ...(agentId && { agentId }),
        uuid: uuid?.value ?? new Uint8Array(),
      },
    });
  }

  kill(taskId: string): Promise<number> {
    return this.call({ type: Call_Type.KILL, kill: { taskId: { value: taskId } } });
  }

  /** The states that a task was reported in, in order. */
  statesOf(taskId: string): TaskState[] {
    return this.updates.filter((status) => status.taskId?.value === taskId).map(({ state }) => state);
  }

  terminalOf(taskId: string): TaskStatus | undefined {
    return this.updates.find((status) => status.taskId?.value === taskId && isTerminal(status.state));
  }

  describe(): string {
    const counts = new Map<string, number>();
    for (const { state } of this.updates) counts.set(String(state), (counts.get(String(state)) ?? 0) + 1);
    return [...counts].map(([state, count]) => `${count}×${state}`).join(" ");
  }

  /** Ends the framework. */
  async teardown(): Promise<void> {
    await this.call({ type: Call_Type.TEARDOWN });
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.destroy();
  }
}

/** A command task of 0.001 cpus. */
export function commandTask(
  id: string,
  command: string,
  more: object = {},
): MessageInitShape<typeof TaskInfoSchema> & { $typeName?: never } {
  return {
    name: id,
    taskId: { value: id },
    resources: [
      { name: "cpus", type: 0, scalar: { value: 0.001 } },
      { name: "mem", type: 0, scalar: { value: 1 } },
    ],
    command: { value: command, shell: true },
    ...more,
  } as never;
}
