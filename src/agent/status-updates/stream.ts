import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { isUuid } from "../../mesos/ids.ts";
import { isTerminal } from "../../mesos/states.ts";

/** A uuid's bytes as a map key. */
export const uuidKey = (uuid: Uint8Array): string => Buffer.from(uuid).toString("hex");

/**
 * The updates of one task, in order (mesos-wire §3.15): only the head is in flight, an acknowledgement of the head lets
 * the next one go. Pure state: no timers, no files.
 */
export class UpdateStream {
  readonly #received = new Set<string>();
  readonly #acknowledged = new Set<string>();
  readonly #pending: StatusUpdate[] = [];
  #closed = false;

  /** Updates that nobody has acknowledged, the head first. */
  get pending(): readonly StatusUpdate[] {
    return this.#pending;
  }

  get head(): StatusUpdate | undefined {
    return this.#pending[0];
  }

  /** A terminal update was acknowledged: nothing more will be sent. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether this uuid was seen before, acknowledged or not. */
  knows(uuid: Uint8Array): boolean {
    return this.#received.has(uuidKey(uuid));
  }

  /** Queues an update; false when its uuid is known already (a duplicate is acknowledged to its sender, not queued). */
  receive(update: StatusUpdate): boolean {
    if (!isUuid(update.uuid)) throw new Error("a status update without a 16-byte uuid cannot be queued");
    const key = uuidKey(update.uuid);
    if (this.#received.has(key)) return false;
    this.#received.add(key);
    this.#pending.push(update);
    return true;
  }

  /** What an acknowledgement of `uuid` would do, before it is written down. */
  judge(uuid: Uint8Array): "head" | "duplicate" | "unexpected" {
    if (this.head !== undefined && uuidKey(this.head.uuid) === uuidKey(uuid)) return "head";
    return this.#acknowledged.has(uuidKey(uuid)) ? "duplicate" : "unexpected";
  }

  /** Takes the head off. Call only after judge() said "head". */
  acknowledge(): StatusUpdate {
    const update = this.#pending.shift();
    if (update === undefined) throw new Error("acknowledged a stream that has nothing in flight");
    this.#acknowledged.add(uuidKey(update.uuid));
    if (update.status !== undefined && isTerminal(update.status.state)) this.#closed = true;
    return update;
  }
}
