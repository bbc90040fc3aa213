import { create } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import { enumName } from "../mesos/codec.ts";
import { ApplyOperationMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfo_Capability_Type,
  type Offer_Operation,
  Offer_Operation_Type,
  Offer_Operation_TypeSchema,
  Offer_OperationSchema,
  type Resource,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "../mesos/ids.ts";
import { applyConversion, type Conversion, conversionOf, unallocatedConversion } from "../mesos/resource-operations.ts";
import { Resources } from "../mesos/resources.ts";
import type { Agents } from "./agents.ts";
import type { Cluster } from "./cluster.ts";
import type { Agent } from "./model.ts";
import { type Outcome, outcome } from "./negotiation.ts";
import { availableOn } from "./offering.ts";
import { createProblem } from "./volume-validation.ts";

const { RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME } = Offer_Operation_Type;

/** Tells an agent what has become of its resources, in the way that it understands. Returns the operation's uuid. */
export function sendOperation(
  cluster: Cluster,
  agents: Agents,
  agent: Agent,
  operation: Offer_Operation,
  frameworkId: string | undefined,
): Uint8Array | undefined {
  if (!agent.capabilities.has(AgentInfo_Capability_Type.RESOURCE_PROVIDER)) {
    agents.sendCheckpointed(agent);
    return undefined;
  }
  const uuid = newUuid();
  const message = create(ApplyOperationMessageSchema, {
    ...(frameworkId !== undefined && { frameworkId: { value: frameworkId } }),
    operationInfo: operation,
    operationUuid: { value: uuid },
    resourceVersionUuid: { uuid: agent.resourceVersion ?? { value: new Uint8Array(16) } },
  });
  cluster.context.process.send(agent.pid, ApplyOperationMessageSchema, message);
  return uuid;
}

/** Reservations and volumes that an operator makes and ends, outside of any offer. */
export class OperatorOperations {
  readonly #cluster: Cluster;
  readonly #agents: Agents;

  constructor(cluster: Cluster, agents: Agents) {
    this.#cluster = cluster;
    this.#agents = agents;
  }

  reserve(agentId: string, resources: readonly Resource[], source: readonly Resource[]): Outcome {
    return this.#apply(agentId, RESERVE, () => ({ reserve: { resources: post(resources), source: post(source) } }));
  }

  unreserve(agentId: string, resources: readonly Resource[]): Outcome {
    return this.#apply(agentId, UNRESERVE, () => ({ unreserve: { resources: post(resources) } }));
  }

  createVolumes(agentId: string, volumes: readonly Resource[]): Outcome {
    return this.#apply(agentId, CREATE, () => ({ create: { volumes: post(volumes) } }));
  }

  destroyVolumes(agentId: string, volumes: readonly Resource[]): Outcome {
    return this.#apply(agentId, DESTROY, () => ({ destroy: { volumes: post(volumes) } }));
  }

  growVolume(agentId: string, volume: Resource | undefined, addition: Resource | undefined): Outcome {
    return this.#apply(agentId, GROW_VOLUME, () => {
      const [grown, added] = [one(volume), one(addition)];
      return { growVolume: { ...(grown && { volume: grown }), ...(added && { addition: added }) } };
    });
  }

  shrinkVolume(agentId: string, volume: Resource | undefined, by: number): Outcome {
    return this.#apply(agentId, SHRINK_VOLUME, () => {
      const shrunk = one(volume);
      return { shrinkVolume: { ...(shrunk && { volume: shrunk }), subtract: { value: by } } };
    });
  }

  /** 400 for what can never be, 409 when the agent has not that much free (offers are taken back for it), else 202. */
  #apply(agentId: string, type: Offer_Operation_Type, members: () => object): Outcome {
    const agent = this.#cluster.agents.get(agentId);
    if (agent === undefined) return outcome(400, "No agent found with specified ID");
    const name = enumName(Offer_Operation_TypeSchema, type);
    let operation: Offer_Operation;
    let conversion: Conversion;
    try {
      operation = create(Offer_OperationSchema, { type, ...members() });
      const problem = createProblem(operation.create?.volumes ?? [], agent.total);
      if (problem !== undefined) throw new Error(problem);
      conversion = unallocatedConversion(conversionOf(operation));
    } catch (error) {
      return outcome(400, `Invalid ${name} operation on agent ${agentId}: ${messageOf(error)}`);
    }
    const { consumed } = conversion;
    for (const offer of [...agent.offers]) {
      if (availableOn(agent).contains(consumed)) break;
      // An offer that holds nothing of it may stay.
      if (consumed.subtract(offer.resources).equals(consumed)) continue;
      this.#cluster.removeOffer(offer, true);
    }
    if (!availableOn(agent).contains(consumed)) return outcome(409, `${name}: the agent has not that much free`);
    agent.total = applyConversion(agent.total, conversion);
    sendOperation(this.#cluster, this.#agents, agent, operation, undefined);
    this.#cluster.context.log.info(`An operator's ${name} on agent ${agentId} was applied`);
    this.#cluster.offerSoon();
    return outcome(202);
  }
}

/** In the one format that agents since 1.4 keep, whichever it came in. Throws a MessageError. */
const post = (resources: readonly Resource[]): Resource[] => Resources.of(resources).toMessages("post");

const one = (resource: Resource | undefined): Resource | undefined =>
  resource === undefined ? undefined : post([resource])[0];
