import { create } from "@bufbuild/protobuf";
import { encode, MessageError, shallowCopy } from "./codec.ts";
import { copyOf } from "./copy.ts";
import {
  type Resource,
  Resource_AllocationInfoSchema,
  Resource_DiskInfo_Source_Type,
  ResourceSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import {
  addQuantities,
  containsQuantity,
  isEmpty,
  type Quantity,
  quantityOf,
  type Range,
  subtractQuantities,
  valueMembers,
} from "./quantity.ts";
import {
  downgrade,
  isDynamicallyReserved,
  type ReservationFormat,
  reservationProblem,
  reservationRole,
  upgrade,
} from "./reservations.ts";

/** One kind of resource: everything but how much. */
interface Entry {
  /** Post-refinement, without its value. Never changed. */
  readonly kind: Resource;
  /** Equal for entries that are the same kind. */
  readonly key: string;
  readonly quantity: Quantity;
  /** How often a shared resource is held; 1 for others. */
  readonly copies: number;
}

/** Why Mesos would refuse a resource; undefined when it is valid. */
export function resourceProblem(resource: Resource): string | undefined {
  if (resource.name === "") return "a resource has no name";
  const quantity = quantityOf(resource);
  if (typeof quantity === "string") return `resource '${resource.name}' ${quantity}`;
  if (resource.disk !== undefined && resource.name !== "disk")
    return `resource '${resource.name}' has disk information, which only 'disk' may have`;
  if (resource.disk?.source?.type === Resource_DiskInfo_Source_Type.UNKNOWN)
    return `resource '${resource.name}' has a disk source of an unknown type`;
  const problem = reservationProblem(resource);
  return problem === undefined ? undefined : `resource '${resource.name}': ${problem}`;
}

/** What two resources must share to be the same kind. How a volume is mounted is the use, not the resource. */
function keyOf(kind: Resource): string {
  const { name, type, disk, reservations, providerId, revocable, shared, allocationInfo, $unknown } = kind;
  const reserved = reservations.length > 0;
  // Most resources are this plain, and their key is made often.
  if (disk === undefined && !reserved && providerId === undefined && shared === undefined && $unknown === undefined)
    return `plain ${type}${revocable === undefined ? "" : "r"}${allocationInfo === undefined ? "" : ` @${allocationInfo.role}`}\n${name}`;
  let identity = kind;
  if (kind.disk?.volume !== undefined || kind.disk?.persistence !== undefined) {
    identity = copyOf(kind);
    delete identity.disk?.volume;
    if (identity.disk?.persistence !== undefined)
      delete (identity.disk.persistence as { principal?: string }).principal;
  }
  return Buffer.from(encode(ResourceSchema, identity)).toString("latin1");
}

function entryOf(resource: Resource): Entry {
  const problem = resourceProblem(resource);
  if (problem !== undefined) throw new MessageError("mesos.v1.Resource", problem);
  const kind = upgrade(resource);
  const quantity = quantityOf(kind) as Quantity;
  delete kind.scalar;
  delete kind.ranges;
  delete kind.set;
  return { kind, key: keyOf(kind), quantity, copies: 1 };
}

/** Persistent volumes, whole disks and disks with an identity are all or nothing. */
function indivisible({ disk }: Resource): boolean {
  if (disk === undefined) return false;
  if (disk.persistence !== undefined) return true;
  const { MOUNT, BLOCK, RAW } = Resource_DiskInfo_Source_Type;
  const source = disk.source;
  if (source === undefined) return false;
  return source.type === MOUNT || source.type === BLOCK || (source.type === RAW && Object.hasOwn(source, "id"));
}

const sameQuantity = (a: Quantity, b: Quantity): boolean => containsQuantity(a, b) && containsQuantity(b, a);

function added(entries: readonly Entry[], entry: Entry): readonly Entry[] {
  if (isEmpty(entry.quantity)) return entries;
  const shared = entry.kind.shared !== undefined;
  const at = entries.findIndex(
    ({ key, quantity, kind }) =>
      key === entry.key && (shared ? sameQuantity(quantity, entry.quantity) : !indivisible(kind)),
  );
  const found = entries[at];
  if (found === undefined) return [...entries, entry];
  const joined = shared
    ? { ...found, copies: found.copies + entry.copies }
    : { ...found, quantity: addQuantities(found.quantity, entry.quantity) };
  return entries.with(at, joined);
}

/** `entries` less what of `entry` is in them. */
function subtracted(entries: readonly Entry[], entry: Entry): readonly Entry[] {
  const whole = entry.kind.shared !== undefined || indivisible(entry.kind);
  const at = entries.findIndex(
    ({ key, quantity }) => key === entry.key && (!whole || sameQuantity(quantity, entry.quantity)),
  );
  const found = entries[at];
  if (found === undefined) return entries;
  const left = whole
    ? { ...found, copies: found.copies - entry.copies }
    : { ...found, quantity: subtractQuantities(found.quantity, entry.quantity) };
  return left.copies <= 0 || (!whole && isEmpty(left.quantity)) ? entries.toSpliced(at, 1) : entries.with(at, left);
}

function holds(entries: readonly Entry[], entry: Entry): boolean {
  const whole = entry.kind.shared !== undefined || indivisible(entry.kind);
  return entries.some(
    ({ key, quantity, copies }) =>
      key === entry.key &&
      (whole
        ? sameQuantity(quantity, entry.quantity) && copies >= entry.copies
        : containsQuantity(quantity, entry.quantity)),
  );
}

/**
 * Resources of an agent, an offer, a task: an immutable bag of quantities by kind. Takes resources in any reservation
 * format and gives them back in any. Entries that differ only in quantity are one entry; persistent volumes and whole
 * disks never merge, shared ones are counted. Nothing empty is held.
 */
export class Resources {
  static readonly empty = new Resources([]);
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Throws a MessageError that says which resource is invalid and why. */
  static of(resources: Iterable<Resource>): Resources {
    let entries: readonly Entry[] = [];
    for (const resource of resources) entries = added(entries, entryOf(resource));
    return entries.length === 0 ? Resources.empty : new Resources(entries);
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(other: Resources): Resources {
    if (other.isEmpty) return this;
    return new Resources(other.#entries.reduce(added, this.#entries));
  }

  /** Less what both have; what only `other` has is ignored, as in Mesos. */
  subtract(other: Resources): Resources {
    if (other.isEmpty) return this;
    return new Resources(other.#entries.reduce(subtracted, this.#entries));
  }

  contains(other: Resources): boolean {
    let left = this.#entries;
    for (const entry of other.#entries) {
      if (!holds(left, entry)) return false;
      left = subtracted(left, entry);
    }
    return true;
  }

  equals(other: Resources): boolean {
    return this.contains(other) && other.contains(this);
  }

  /** The entries whose kind (post-refinement, without value) satisfies the predicate. */
  filter(predicate: (kind: Resource) => boolean): Resources {
    return new Resources(this.#entries.filter(({ kind }) => predicate(kind)));
  }

  /** Each kind replaced; entries that become the same kind merge. The function must not change its argument. */
  map(change: (kind: Resource) => Resource): Resources {
    const changed = this.#entries.map((entry) => {
      const kind = upgrade(change(entry.kind));
      return { ...entry, kind, key: keyOf(kind) };
    });
    return new Resources(changed.reduce(added, [] as readonly Entry[]));
  }

  /** What nobody, or only this role, has reserved. */
  unreserved = (): Resources => this.filter(({ reservations }) => reservations.length === 0);

  /** What is reserved, to `role` if given. */
  reserved(role?: string): Resources {
    return this.filter(
      (kind) => kind.reservations.length > 0 && (role === undefined || reservationRole(kind) === role),
    );
  }

  /** What an allocator may give to a role: unreserved, and reserved to the role or one above it. */
  reservableTo(role: string): Resources {
    return this.filter((kind) => {
      const to = reservationRole(kind);
      return to === "*" || to === role || role.startsWith(`${to}/`);
    });
  }

  revocable = (): Resources => this.filter(({ revocable }) => revocable !== undefined);
  nonRevocable = (): Resources => this.filter(({ revocable }) => revocable === undefined);
  shared = (): Resources => this.filter(({ shared }) => shared !== undefined);
  persistentVolumes = (): Resources => this.filter(({ disk }) => disk?.persistence !== undefined);

  /** What must be remembered on disk: dynamic reservations and persistent volumes. */
  needingCheckpoint(): Resources {
    return this.filter((kind) => isDynamicallyReserved(kind) || kind.disk?.persistence !== undefined);
  }

  /** As allocated to a role: `allocation_info` on every resource. */
  allocatedTo(role: string): Resources {
    return this.map((kind) => {
      const allocated = shallowCopy(kind);
      allocated.allocationInfo = create(Resource_AllocationInfoSchema, { role });
      return allocated;
    });
  }

  /** Without `allocation_info`: what totals and checkpoints must hold. */
  unallocated(): Resources {
    if (!this.#entries.some(({ kind }) => kind.allocationInfo !== undefined)) return this;
    return this.map((kind) => {
      const bare = shallowCopy(kind);
      delete bare.allocationInfo;
      return bare;
    });
  }

  /**
   * Cut so that of each name in `most` (thousandths) there is no more than that. What cannot be divided, such as a disk of its own,
   * is left out when it does not fit; ranges and sets stay.
   */
  atMost(most: ReadonlyMap<string, number>): Resources {
    const room = new Map(most);
    const cut = this.#entries.flatMap((entry): Entry[] => {
      const { kind, quantity } = entry;
      const left = room.get(kind.name);
      if (left === undefined || quantity.kind !== "scalar") return [entry];
      const isWhole =
        kind.shared !== undefined || kind.disk?.source !== undefined || kind.disk?.persistence !== undefined;
      const thousandths = Math.min(quantity.thousandths, left);
      if (thousandths <= 0 || (isWhole && thousandths < quantity.thousandths)) return [];
      room.set(kind.name, left - thousandths);
      return [{ ...entry, quantity: { kind: "scalar", thousandths } }];
    });
    return new Resources(cut);
  }

  /** The sum of a scalar over all reservations, in its own unit; undefined when there is none. */
  scalar(name: string): number | undefined {
    let sum: number | undefined;
    for (const { kind, quantity } of this.#entries)
      if (kind.name === name && quantity.kind === "scalar") sum = (sum ?? 0) + quantity.thousandths;
    return sum === undefined ? undefined : sum / 1000;
  }

  /** The ranges of that name over all reservations, sorted. */
  ranges(name: string): readonly Range[] {
    let union: Quantity = { kind: "ranges", ranges: [] };
    for (const { kind, quantity } of this.#entries)
      if (kind.name === name && quantity.kind === "ranges") union = addQuantities(union, quantity);
    return union.kind === "ranges" ? union.ranges : [];
  }

  /** CPUs; 0 when there are none. */
  get cpus(): number {
    return this.scalar("cpus") ?? 0;
  }

  /** MiB of memory, whole: Mesos cuts the fraction off. */
  get mem(): number {
    return Math.trunc(this.scalar("mem") ?? 0);
  }

  /** MiB of disk, whole. */
  get disk(): number {
    return Math.trunc(this.scalar("disk") ?? 0);
  }

  /** The entries with their quantities; kinds are post-refinement and must not be changed. */
  *entries(): Generator<{ readonly kind: Resource; readonly quantity: Quantity; readonly copies: number }> {
    yield* this.#entries;
  }

  /** Messages of their own, in the given format; a shared resource appears once per copy. */
  toMessages(format: ReservationFormat = "post"): Resource[] {
    return this.#entries.flatMap(({ kind, quantity, copies }) =>
      Array.from({ length: copies }, () => Object.assign(downgrade(kind, format), valueMembers(quantity))),
    );
  }
}
