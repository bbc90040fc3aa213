import { isUuid } from "../../mesos/ids.ts";

/** A uuid's bytes as a map key. */
const uuidKey = (uuid: Uint8Array): string => Buffer.from(uuid).toString("hex");

/** What a stream has to know of the things that it carries. */
export interface Carried<Item> {
  /** 16 bytes; what an acknowledgement names. */
  uuidOf(item: Item): Uint8Array;
  /** Nothing comes after it: its acknowledgement closes the stream. */
  isLast(item: Item): boolean;
}

/**
 * What one sender has to say to the master, in order (mesos-wire §3.12, §3.15): only the head is in flight, an acknowledgement
 * of the head lets the next one go. Pure state: no timers, no files.
 */
export class AcknowledgedStream<Item> {
  readonly #carried: Carried<Item>;
  readonly #received = new Set<string>();
  readonly #acknowledged = new Set<string>();
  readonly #pending: Item[] = [];
  #closed = false;

  constructor(carried: Carried<Item>) {
    this.#carried = carried;
  }

  /** Items that nobody has acknowledged, the head first. */
  get pending(): readonly Item[] {
    return this.#pending;
  }

  get head(): Item | undefined {
    return this.#pending[0];
  }

  /** The last item was acknowledged: nothing more will be sent. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Queues an item; false when its uuid is known already (a duplicate is acknowledged to its sender, not queued). */
  receive(item: Item): boolean {
    const uuid = this.#carried.uuidOf(item);
    if (!isUuid(uuid)) throw new Error("what has no 16-byte uuid cannot be queued");
    const key = uuidKey(uuid);
    if (this.#received.has(key)) return false;
    this.#received.add(key);
    this.#pending.push(item);
    return true;
  }

  /** What an acknowledgement of `uuid` would do, before it is written down. */
  judge(uuid: Uint8Array): "head" | "duplicate" | "unexpected" {
    const { head } = this;
    if (head !== undefined && uuidKey(this.#carried.uuidOf(head)) === uuidKey(uuid)) return "head";
    return this.#acknowledged.has(uuidKey(uuid)) ? "duplicate" : "unexpected";
  }

  /** Takes the head off. Call only after judge() said "head". */
  acknowledge(): Item {
    const item = this.#pending.shift();
    if (item === undefined) throw new Error("acknowledged a stream that has nothing in flight");
    this.#acknowledged.add(uuidKey(this.#carried.uuidOf(item)));
    if (this.#carried.isLast(item)) this.#closed = true;
    return item;
  }
}
