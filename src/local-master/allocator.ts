import type { Resources } from "../mesos/resources.ts";

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

/**
 * Who is offered what: each agent's resources go, whole, to the bidder with the smallest dominant share that wants them;
 * what is reserved for others goes on to them.
 */
export function allocate(bidders: readonly Bidder[], supplies: readonly Supply[], total: Resources): Award[] {
  const awards: Award[] = [];
  const held = new Map<string, Resources>();
  for (const { frameworkId, allocated } of bidders) held.set(frameworkId, allocated);
  for (const { agentId, available } of supplies) {
    let left = available;
    const share = (bidder: Bidder): number => dominantShare(held.get(bidder.frameworkId) ?? bidder.allocated, total);
    const order = bidders
      .map((bidder, index) => ({ bidder, index, share: share(bidder) }))
      .sort((a, b) => a.share - b.share || a.index - b.index);
    for (const { bidder } of order) {
      const { frameworkId, role } = bidder;
      const resources = bidder.wants(agentId, left.reservableTo(role));
      if (!worthwhile(resources)) continue;
      awards.push({ frameworkId, role, agentId, resources });
      held.set(frameworkId, (held.get(frameworkId) ?? bidder.allocated).add(resources));
      left = left.subtract(resources);
    }
  }
  return awards;
}
