import { create } from "@bufbuild/protobuf";
import { OfferSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { frameworkCan } from "../mesos/states.ts";
import { type Award, allocate, type Bidder, type Supply } from "./allocator.ts";
import type { Cluster } from "./cluster.ts";
import { consumedByRole } from "./consumption.ts";
import { machineOf } from "./maintenance.ts";
import { type Agent, type Framework, type Offer, rolesOf, speak } from "./model.ts";

/** Seconds that `refuse_seconds` is cut to, and its default when it makes no sense. */
const LONGEST_REFUSAL = 365 * 24 * 3600;
const DEFAULT_REFUSAL = 5;

/** Neither used nor offered. */
export function availableOn(agent: Agent): Resources {
  let available = agent.total.subtract(agent.used);
  for (const offer of agent.offers) available = available.subtract(offer.resources);
  return available;
}

/** Kinds of resources that only frameworks with a capability may see. */
function usable(framework: Framework, resources: Resources): Resources {
  const can = {
    gpus: frameworkCan(framework.info, "GPU_RESOURCES"),
    revocable: frameworkCan(framework.info, "REVOCABLE_RESOURCES"),
    shared: frameworkCan(framework.info, "SHARED_RESOURCES"),
    refined: frameworkCan(framework.info, "RESERVATION_REFINEMENT"),
  };
  return resources.filter(
    (kind) =>
      (can.gpus || kind.name !== "gpus") &&
      (can.revocable || kind.revocable === undefined) &&
      (can.shared || kind.shared === undefined) &&
      (can.refined || kind.reservations.length < 2),
  );
}

function bidderOf(framework: Framework, role: string, now: number): Bidder {
  let allocated = framework.used;
  for (const offer of framework.offers) allocated = allocated.add(offer.resources);
  return {
    frameworkId: framework.id,
    role,
    allocated,
    wants(agentId, offered) {
      const wanted = usable(framework, offered);
      const refused = framework.refusals.some(
        (refusal) =>
          refusal.agentId === agentId &&
          refusal.role === role &&
          refusal.until > now &&
          refusal.resources.contains(wanted),
      );
      return refused ? Resources.empty : wanted;
    },
  };
}

/** Makes offers out of what is free. */
export class Offering {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.offerNow = () => this.offerNow();
  }

  offerNow(): void {
    const { clock } = this.#cluster.context;
    const now = clock.monotonic();
    const bidders: Bidder[] = [];
    for (const framework of this.#cluster.frameworks.values()) {
      if (!framework.active) continue;
      framework.refusals = framework.refusals.filter(({ until }) => until > now);
      for (const role of rolesOf(framework.info))
        if (!framework.suppressed.has(role)) bidders.push(bidderOf(framework, role, now));
    }
    if (bidders.length === 0) return;
    const supplies: Supply[] = [];
    for (const agent of this.#cluster.agents.values())
      if (this.#cluster.isActive(agent)) supplies.push({ agentId: agent.id, available: availableOn(agent) });
    const total = this.#cluster.total ?? Resources.empty;
    const offers = new Map<Framework, Offer[]>();
    const { weights, quotas } = this.#cluster;
    const rules = { weights, quotas, consumed: quotas.size === 0 ? new Map() : consumedByRole(this.#cluster) };
    for (const award of allocate(bidders, supplies, total, rules)) {
      const framework = this.#cluster.frameworks.get(award.frameworkId);
      const agent = this.#cluster.agents.get(award.agentId);
      if (framework === undefined || agent === undefined) continue;
      offers.set(framework, [...(offers.get(framework) ?? []), this.#make(award, framework, agent)]);
    }
    for (const [framework, made] of offers)
      this.#cluster.send(framework, {
        type: Event_Type.OFFERS,
        offers: { offers: made.map(({ message }) => message) },
      });
  }

  /** The framework does not want these resources of the agent for `seconds`. */
  refuse(framework: Framework, offer: Offer, resources: Resources, seconds: number | undefined): void {
    const wanted = seconds === undefined || !(seconds >= 0) ? DEFAULT_REFUSAL : seconds;
    const period = Math.min(wanted, LONGEST_REFUSAL) * 1000;
    if (period === 0 || resources.isEmpty) return;
    const { clock } = this.#cluster.context;
    const { agentId, role } = offer;
    framework.refusals.push({ agentId, role, resources, until: clock.monotonic() + period });
  }

  #make(award: Award, framework: Framework, agent: Agent): Offer {
    const { role, resources } = award;
    const dialect = this.#cluster.frameworkDialect(framework);
    const { hostname, attributes, domain } = agent.info;
    const machine = this.#cluster.machines.get(machineOf(agent.info, agent.pid.ip));
    const id = this.#cluster.nextId("offer");
    const executors = [...agent.executors.values()].filter(({ frameworkId }) => frameworkId === framework.id);
    const message = create(OfferSchema, {
      id: { value: id },
      frameworkId: { value: framework.id },
      agentId: { value: agent.id },
      hostname,
      resources: speak(resources, dialect, role),
      executorIds: executors.flatMap(({ info }) => (info.executorId === undefined ? [] : [info.executorId])),
      attributes,
      url: {
        scheme: "http",
        address: { hostname, ip: agent.pid.ip, port: agent.pid.port },
        path: `/${agent.pid.id}`,
      },
      ...(dialect.allocation && { allocationInfo: { role } }),
      ...(domain && { domain }),
      ...(machine && { unavailability: machine.unavailability }),
    });
    const offer: Offer = { id, frameworkId: framework.id, agentId: agent.id, role, resources, message };
    this.#cluster.offers.set(id, offer);
    framework.offers.add(offer);
    agent.offers.add(offer);
    return offer;
  }
}
