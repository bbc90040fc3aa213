import type { Resources } from "../mesos/resources.ts";
import { type Amounts, addTo, lacking, topOf } from "./consumption.ts";
import type { Quota } from "./quota.ts";

/** One framework in one role. */
export interface Bidder {
  readonly frameworkId: string;
  readonly role: string;
  /** Everything the framework holds or is offered. */
  readonly allocated: Resources;
  /** Resources of a kind that the framework cannot use are not offered to it. */
  readonly wants: (agentId: string, offered: Resources) => Resources;
}

export interface Supply {
  readonly agentId: string;
  /** Neither used nor offered; without allocation. */
  readonly available: Resources;
}

export interface Award {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  readonly resources: Resources;
}

/** What operators have set. */
export interface Rules {
  /** By role; 1 for those that are not here. */
  readonly weights: ReadonlyMap<string, number>;
  /** By the first part of a role, as is `consumed`. */
  readonly quotas: ReadonlyMap<string, Quota>;
  readonly consumed: ReadonlyMap<string, Amounts>;
}

const NO_RULES: Rules = { weights: new Map(), quotas: new Map(), consumed: new Map() };

/** Less than this of both is not worth an offer, as in Mesos. */
const LEAST_CPUS = 0.01;
const LEAST_MEM = 32;

/** The largest part that somebody holds of any one resource of the cluster. */
export function dominantShare(allocated: Resources, total: Resources): number {
  let share = 0;
  for (const name of ["cpus", "mem", "disk", "gpus"]) {
    const all = total.scalar(name) ?? 0;
    if (all > 0) share = Math.max(share, (allocated.scalar(name) ?? 0) / all);
  }
  return share;
}

const worthwhile = (resources: Resources): boolean => resources.cpus >= LEAST_CPUS || resources.mem >= LEAST_MEM;

/** What is free and what roles have, while it is given away. */
class Ledger {
  readonly #quotas: Rules["quotas"];
  readonly #consumed: Map<string, Map<string, number>>;
  /** Of all agents, not reserved for anybody. */
  readonly #free = new Map<string, number>();

  constructor({ quotas, consumed }: Rules, supplies: readonly Supply[]) {
    this.#quotas = quotas;
    this.#consumed = new Map([...consumed].map(([role, amounts]) => [role, new Map(amounts)]));
    for (const { available } of supplies) addTo(this.#free, available.unreserved());
  }

  #owedTo(top: string): Amounts {
    return lacking(this.#quotas.get(top)?.guarantees ?? new Map(), this.#consumed.get(top));
  }

  /** Whether a role has less than it is guaranteed. */
  isOwed(role: string): boolean {
    return [...this.#owedTo(topOf(role)).values()].some((amount) => amount > 0);
  }

  /**
   * How much of what nobody has reserved a role may take, of the names that are bounded: up to its limit, and so that there
   * is left what other roles are guaranteed and do not have yet.
   */
  room(role: string): Amounts {
    const top = topOf(role);
    const room = new Map(lacking(this.#quotas.get(top)?.limits ?? new Map(), this.#consumed.get(top)));
    for (const other of this.#quotas.keys()) {
      if (other === top) continue;
      for (const [name, owed] of this.#owedTo(other)) {
        if (owed === 0) continue;
        const left = Math.max(0, (this.#free.get(name) ?? 0) - owed);
        room.set(name, Math.min(room.get(name) ?? left, left));
      }
    }
    return room;
  }

  take(role: string, resources: Resources): void {
    const taken = new Map<string, number>();
    addTo(taken, resources.unreserved());
    const own = this.#consumed.get(topOf(role)) ?? new Map<string, number>();
    for (const [name, amount] of taken) {
      own.set(name, (own.get(name) ?? 0) + amount);
      this.#free.set(name, (this.#free.get(name) ?? 0) - amount);
    }
    this.#consumed.set(topOf(role), own);
  }
}

/**
 * Who is offered what: each agent's resources go, whole, to the bidder with the smallest dominant share that wants them;
 * what is reserved for others goes on to them. Who is owed by a quota comes first; a share counts by the role's weight.
 */
export function allocate(
  bidders: readonly Bidder[],
  supplies: readonly Supply[],
  total: Resources,
  rules: Rules = NO_RULES,
): Award[] {
  const awards: Award[] = [];
  const ledger = new Ledger(rules, supplies);
  const held = new Map<string, Resources>();
  for (const { frameworkId, allocated } of bidders) held.set(frameworkId, allocated);
  for (const { agentId, available } of supplies) {
    let left = available;
    const share = ({ frameworkId, role, allocated }: Bidder): number =>
      dominantShare(held.get(frameworkId) ?? allocated, total) / (rules.weights.get(role) ?? 1);
    const order = bidders
      .map((bidder, index) => ({ bidder, index, share: share(bidder), isOwed: ledger.isOwed(bidder.role) }))
      .sort((a, b) => Number(b.isOwed) - Number(a.isOwed) || a.share - b.share || a.index - b.index);
    for (const { bidder } of order) {
      const { frameworkId, role } = bidder;
      const reservable = left.reservableTo(role);
      const open = reservable.unreserved().atMost(ledger.room(role));
      const resources = bidder.wants(agentId, reservable.reserved().add(open));
      if (!worthwhile(resources)) continue;
      awards.push({ frameworkId, role, agentId, resources });
      held.set(frameworkId, (held.get(frameworkId) ?? bidder.allocated).add(resources));
      ledger.take(role, resources);
      left = left.subtract(resources);
    }
  }
  return awards;
}
