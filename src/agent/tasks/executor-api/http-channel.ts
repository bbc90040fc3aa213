import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../../base/clock.ts";
import { every } from "../../../base/clock.ts";
import { encode } from "../../../mesos/codec.ts";
import type { StatusUpdate } from "../../../mesos/gen/mesos/internal/messages_pb.ts";
import { type Event, Event_Type, EventSchema } from "../../../mesos/gen/mesos/v1/executor/executor_pb.ts";
import { encodeJson } from "../../../mesos/json.ts";
import { encodeRecord } from "../../../mesos/recordio.ts";
import type { FrameworkRecord, KillRequest, TaskRecord } from "../../model/records.ts";
import type { ExecutorChannel } from "../channel.ts";

/** Milliseconds between HEARTBEAT events; the first one comes after one period. */
const HEARTBEAT = 30 * 60_000;

/** Where events of a subscription go. */
export interface EventSink {
  readonly json: boolean;
  write(record: Buffer): void;
  end(): void;
}

type EventInit = Omit<MessageInitShape<typeof EventSchema>, "$typeName" | "$unknown">;

/** An executor that subscribed by the HTTP API: events are records of one endless answer (mesos-wire §5.2). */
export class HttpChannel implements ExecutorChannel {
  /** The address that the executor subscribed from. */
  readonly peer: string | undefined;
  readonly #sink: EventSink;
  readonly #heartbeat: Timer;

  constructor(sink: EventSink, clock: Clock, peer?: string) {
    this.peer = peer;
    this.#sink = sink;
    this.#heartbeat = every(clock, HEARTBEAT, () => this.send({ type: Event_Type.HEARTBEAT }));
  }

  send(init: EventInit): void {
    const event: Event = create(EventSchema, init);
    this.#sink.write(encodeRecord(this.#sink.json ? encodeJson(EventSchema, event) : encode(EventSchema, event)));
  }

  launch(_framework: FrameworkRecord, task: TaskRecord): void {
    if (task.info !== undefined) this.send({ type: Event_Type.LAUNCH, launch: { task: task.info } });
  }

  launchGroup(_framework: FrameworkRecord, tasks: readonly TaskRecord[]): void {
    const infos = tasks.flatMap(({ info }) => (info === undefined ? [] : [info]));
    this.send({ type: Event_Type.LAUNCH_GROUP, launchGroup: { taskGroup: { tasks: infos } } });
  }

  kill(task: TaskRecord, { policy }: KillRequest): void {
    this.send({
      type: Event_Type.KILL,
      kill: { taskId: { value: task.taskId }, ...(policy && { killPolicy: policy }) },
    });
  }

  acknowledge(update: StatusUpdate): void {
    const taskId = update.status?.taskId;
    if (taskId === undefined) return;
    this.send({ type: Event_Type.ACKNOWLEDGED, acknowledged: { taskId, uuid: update.uuid } });
  }

  message(data: Uint8Array): void {
    this.send({ type: Event_Type.MESSAGE, message: { data } });
  }

  shutdown(): void {
    this.send({ type: Event_Type.SHUTDOWN });
  }

  close(): void {
    this.#heartbeat.cancel();
    this.#sink.end();
  }
}
