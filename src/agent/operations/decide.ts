import { messageOf } from "../../base/errors.ts";
import { enumName } from "../../mesos/codec.ts";
import {
  type Offer_Operation,
  Offer_Operation_Type,
  Offer_Operation_TypeSchema,
  OperationState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type Conversion, conversionOf, providerOf, unallocatedConversion } from "../../mesos/resource-operations.ts";
import { atLeast, parseVersion } from "../../mesos/version.ts";

/** What to do with an operation that the master sends. */
export type Decision =
  | { readonly kind: "apply"; readonly conversion: Conversion }
  /** It cannot be done here, and the master has not counted on it: it is told so. */
  | { readonly kind: "refuse"; readonly state: OperationState; readonly why: string }
  /** The master has counted it as done, and it cannot be: going on would give out what is not there. */
  | { readonly kind: "contradiction"; readonly why: string };

const { RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME } = Offer_Operation_Type;

/** Operations that masters take for done when they accept them (mesos-wire §3.12). */
const SPECULATIVE = new Set<Offer_Operation_Type>([RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME]);

/** Pure. The conversion is without `allocation_info`: left in, it aborts the next master. */
export function decide(operation: Offer_Operation): Decision {
  const { OPERATION_DROPPED, OPERATION_ERROR } = OperationState;
  let provider: string | undefined;
  try {
    provider = providerOf(operation);
  } catch (error) {
    return { kind: "refuse", state: OPERATION_ERROR, why: messageOf(error) };
  }
  if (provider !== undefined) {
    const why = `this agent has no resource provider '${provider}'`;
    return { kind: "refuse", state: OPERATION_DROPPED, why };
  }
  if (!SPECULATIVE.has(operation.type)) {
    const name = enumName(Offer_Operation_TypeSchema, operation.type);
    return { kind: "refuse", state: OPERATION_ERROR, why: `${name} is not an operation on an agent's own resources` };
  }
  try {
    return { kind: "apply", conversion: unallocatedConversion(conversionOf(operation)) };
  } catch (error) {
    return { kind: "contradiction", why: messageOf(error) };
  }
}

/**
 * How the status of an operation goes to the master:
 *
 *   reliable   with a status uuid, again and again until acknowledged
 *   once       without: the operation is forgotten when it is sent. A lost one is found missing at the next
 *              re-registration, which every lost connection brings
 *   withheld   not now: kept for a master that understands it
 *
 * Masters 1.5 to 1.7 abort on a status uuid for an agent's own resources when the operation has no id, and have no use
 * for one with an id. A master whose version is not known (a fixed address) is not tried; operations with an id come
 * only from masters that know feedback.
 */
export type Feedback = "reliable" | "once" | "withheld";

/** The first master that takes feedback from agents. */
const FEEDBACK_SINCE = "1.8.0-rc1";

/** Pure. `masterVersion` is undefined or empty when it is not known. */
export function feedbackFor(hasId: boolean, masterVersion: string | undefined): Feedback {
  const known = parseVersion(masterVersion ?? "") !== undefined;
  if (known && atLeast(masterVersion, FEEDBACK_SINCE)) return "reliable";
  if (!hasId) return "once";
  return known ? "withheld" : "reliable";
}
